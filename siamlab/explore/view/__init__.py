"""View: a page on this machine where photographs are looked at through several encoders."""

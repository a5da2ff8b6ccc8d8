// JupyterLab loads this into its page. Figures are drawn for white paper: in a dark theme the
// brightness of those of siamlab, which their font tells, is turned over, but not that of images.
// A saved figure is a picture until the pointer enters it, which is no wider than its cell.
{
  const figure = '[data-jp-theme-light="false"] ' +
    '.js-plotly-plot:has(.main-svg[style*="background: white"]):has(text[style*="Liberation Sans"])';
  const style = document.createElement("style");
  style.textContent = `${figure}, ${figure} image, ${figure} .cbfills {
    filter: invert(1) hue-rotate(180deg); }
    .jp-RenderedPlotly .plot-img { max-width: 100%; height: auto; }`;
  document.head.append(style);
  window._JUPYTERLAB = { ...window._JUPYTERLAB, siamlab: { init() {} } };
}

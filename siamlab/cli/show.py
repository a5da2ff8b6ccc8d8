"""The command `siamlab show`: a run as TOML, once the weights it starts from are known to fit.

show(mae().change("model.init=mae_pretrain_vit_base.pth"))
"""

from siamlab import zoo
from siamlab.machine.terminal import tell
from siamlab.run import Run


def show(run: Run) -> None:
    """Print the run; a sentence says if its weights are not there.

    Raises UserError for weights on this machine whose sizes differ from the run's encoder.
    """
    name = run.model.starts_from
    if name and not name.startswith(("timm:", "hf:")):  # these may need the network
        if zoo.path_of(name).exists():
            from siamlab.train.start import check_start

            check_start(run)
        else:  # they are on the machine that trains, perhaps
            tell(f"siamlab: model.init: {zoo.missing(name)}")
    print(run.toml(), end="")

"""Rules: what the page of `siamlab view` makes of a link, by its own script in a small engine.

rules = Rules(app);  rules("settings", "#k=6&show=segments");  rules.scene("#layer=3")
"""

import json
from typing import Any

from starlette.applications import Starlette

from siamlab.explore.draw import needed
from siamlab.explore.view.inside import asked
from siamlab.explore.web.assets import viewer_script


class Rules:
    """The script, with the numbers that it was given."""

    def __init__(self, app: Starlette):
        self.app: Starlette = app
        self._engine: Any = needed("quickjs", "quickjs-ng").Context()
        self._engine.eval(viewer_script())

    def __call__(self, name: str, link: str, *words: Any) -> Any:
        """Return what a function of `viewer.ts` answers for the state of a link."""
        about = json.loads(asked(self.app, "about").checked())
        return json.loads(self._engine.get("called")(json.dumps([about, link, name, *words])))

    def scene(self, link: str) -> dict[str, Any]:
        """Return the scene of a link, with the ids of its `photos`. Raises Refused as the page."""
        for address in self("missing", link):
            numbers = asked(self.app, address).checked()
            self("keep", link, address, numbers.decode("latin-1"))  # a letter is a byte
        return self("scene", link)

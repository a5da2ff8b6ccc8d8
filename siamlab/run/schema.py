"""The JSON schema of a run, with which editors complete and check its TOML file.

Put `#:schema run.schema.json` into the first line of the file, after
`siamlab schema > run.schema.json`.
"""

from typing import Any

from siamlab.run.run import Run

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def run_schema() -> dict[str, Any]:
    """Return the schema of a run, with all choices that are known to this program."""
    schema = Run.model_json_schema()
    for component in schema["$defs"].values():
        if "kind" in component.get("properties", {}):  # by which a choice is recognised
            component["required"] = [*component.get("required", []), "kind"]
    clip = schema["$defs"]["AdamW"]["properties"]["clip"]
    clip["type"] = ["number", "null"]  # JSON has no inf: Taplo hands it to the schema as null
    return {"$schema": DRAFT, **schema, "title": "siamlab run"}

// View page: starts the page of `siamlab view`, or of a demo.

import { address, copyLink } from "./address";
import { sentenceOf } from "./elements";
import { find, frameIn, say } from "./frame";
import { shown, start } from "./shell";

frameIn(document.body, document);
Object.assign(window, { shown });
find("[data-does=link]").addEventListener("click", copyLink);
start(address).catch((error: unknown) => say(sentenceOf(error)));

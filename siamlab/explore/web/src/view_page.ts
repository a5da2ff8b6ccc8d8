// View page: starts the page of `siamlab view`, or of a demo.

import { sentenceOf } from "./elements";
import { say } from "./frame";
import { start } from "./shell";

start().catch((error: unknown) => say(sentenceOf(error)));

// Widget: the module that anywidget loads.

import { mount } from "./panels";
import type { Model } from "./scene";

export default { render: ({ model, el }: { model: Model; el: Element }) => mount(model, el) };

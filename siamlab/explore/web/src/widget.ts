// Widget: the module that anywidget loads.

import { mount } from "./panels";

export default { render: ({ model, el }) => mount(model, el) };

// Widget: the module that anywidget loads. It asks the kernel for each answer; where it was told to
// keep what an exported page has, it can answer alone when the kernel is gone.

import { mountAlone } from "./alone";
import { add } from "./elements";
import { keepKeys, mount } from "./panels";
import type { Model } from "./scene";

const WHY = "Keeps what this cell computes its answers from in the page, so that it can answer " +
  "when its kernel is gone; a saved notebook grows by up to 3 MB.";

function render({ model, el }: { model: Model; el: HTMLElement }): void {
  const tools = mount(model, el, (note) => offer(model, el, note));
  const button = add(tools, "button", { type: "button", class: "keep", title: WHY });
  const show = () => {
    const kept = Boolean(model.get("kept")?.first);
    button.disabled = kept || Boolean(model.get("keep"));
    button.textContent = kept ? "Answers kept" : button.disabled ? "Keeping answers …" : "Keep answers";
  };
  button.addEventListener("click", () => {
    model.set("keep", true);
    model.save_changes();
    show();
  });
  button.addEventListener("keydown", keepKeys);
  model.on("change:kept", show);
  show();
}

// In the note that the kernel does not answer.
function offer(model: Model, el: HTMLElement, note: Element): void {
  const kept = model.get("kept");
  if (!kept?.first) return;
  const button = add(note, "button", { type: "button" }, "Answer without the kernel");
  button.addEventListener("click", () => {
    el.replaceChildren();
    mountAlone(kept, el, el);
  });
}

export default { render };

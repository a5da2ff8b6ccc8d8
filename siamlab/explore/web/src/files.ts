// Files: photographs that are chosen, dropped or pasted.

import { relabel } from "./choices";
import { sentenceOf } from "./elements";
import type { Change, Photo } from "./facts";
import { around, find, page, say } from "./frame";
import { about, state } from "./store";
import { asked } from "source";

export function takeFiles(change: Change): void {
  const add = (files: Iterable<File> | null | undefined) => addFiles([...files ?? []], change);
  const input = find("input[type=file]") as HTMLInputElement;
  input.addEventListener("change", () => { add(input.files); input.value = ""; });
  input.parentElement?.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); input.click(); }
  });
  around.addEventListener("paste", (event) => add((event as ClipboardEvent).clipboardData?.files));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    around.addEventListener(kind, (event) => {
      event.preventDefault();
      page.classList.toggle("over", kind === "dragover");
      if (kind === "drop") add((event as DragEvent).dataTransfer?.files);
    });
  }
}

// The first one opens; of several, the second one beside it.
async function addFiles(files: File[], change: Change): Promise<void> {
  const ids: string[] = [];
  say("");
  for (const file of files) {
    try {
      ids.push(await sent(file));
    } catch (error) {
      say(sentenceOf(error));
    }
  }
  if (ids.length === 0) return;
  const beside = ids.length > 1 ? ids[1] : state.beside;
  await change({ ...state, photo: ids[0], beside, side: "a" });
  find(".strip .shown").scrollIntoView({ inline: "nearest", block: "nearest" });
}

async function sent(file: File): Promise<string> {
  if (file.size > about.most_bytes) {
    const most = about.most_bytes / 2 ** 20;
    throw new Error(`${file.name} is larger than ${most} MB; save it smaller and add it again`);
  }
  const query = new URLSearchParams({ name: file.name });
  return taken(await asked(`photos?${query}`, { method: "POST", body: file }));
}

export function taken(photo: Photo): string { // its id, now that it is a photograph of the page
  if (!about.photos.some((each) => each.id === photo.id)) about.photos.push(photo);
  relabel(about.photos);
  return photo.id;
}

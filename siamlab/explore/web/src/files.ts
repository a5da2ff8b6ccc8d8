// Files: photographs that are chosen, dropped or pasted.

import { about, change, find, page, say, state } from "./shell";
import { asked } from "source";

export function relabel() { // distinguish two photographs of one name in lists
  const seen = {};
  for (const photo of about.photos) {
    seen[photo.name] = (seen[photo.name] || 0) + 1;
    photo.label = seen[photo.name] > 1 ? `${photo.name} (${seen[photo.name]})` : photo.name;
  }
}

export function takeFiles() {
  const input = find("input[type=file]");
  input.addEventListener("change", () => { addFiles([...input.files]); input.value = ""; });
  input.parentElement.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); input.click(); }
  });
  document.addEventListener("paste", (event) => addFiles([...event.clipboardData.files]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      page.classList.toggle("over", kind === "dragover");
      if (kind === "drop") addFiles([...event.dataTransfer.files]);
    });
  }
}

async function addFiles(files) { // the first one opens; of several, the second one beside it
  const ids = [];
  say("");
  for (const file of files) {
    try {
      ids.push(await sent(file));
    } catch (error) {
      say(error.message);
    }
  }
  if (ids.length === 0) return;
  const beside = ids.length > 1 ? ids[1] : state.beside;
  await change({ ...state, photo: ids[0], beside, side: "a" });
  find(".strip .shown").scrollIntoView({ inline: "nearest", block: "nearest" });
}

async function sent(file) {
  if (file.size > about.most_bytes) {
    const most = about.most_bytes / 2 ** 20;
    throw new Error(`${file.name} is larger than ${most} MB; save it smaller and add it again`);
  }
  const query = new URLSearchParams({ name: file.name });
  const photo = await asked(`photos?${query}`, { method: "POST", body: file });
  return taken(photo);
}

export function taken(photo) {
  if (!about.photos.some((each) => each.id === photo.id)) about.photos.push(photo);
  relabel();
  return photo.id;
}

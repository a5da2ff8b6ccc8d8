// Says why nothing loads where the page was opened from a folder: browsers forbid it to read files.
if (location.protocol === "file:") {
  const place = decodeURI(location.pathname).replace(/[^/]*$/, "");
  const alert = document.querySelector(".alert");
  alert.textContent = "A browser must get this page from a web server: run " +
    `python -m http.server -d "${place}" and open http://localhost:8000.`;
  alert.hidden = false;
}

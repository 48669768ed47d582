// A classic script: the only one that runs where the page was opened as a file. Says what to do then.
if (location.protocol === "file:") {
  document.getElementById("as-file").hidden = false;
  document.getElementById("page").hidden = true;
}

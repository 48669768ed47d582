// WGSL and JavaScript with a few colours. In: a text. Out: elements; the text is theirs, never HTML.
const lexical =
  /(\/\/[^\n]*)|("[^"\n]*"|'[^'\n]*')|\b(\d[\w.]*)\b|\b(fn|var|let|const|if|else|for|while|loop|return|struct|override|break|continue|switch|case|default|workgroup|storage|uniform|export|import|from|async|await|function|new|enable|requires|diagnostic)\b|\b(f32|f16|i32|u32|bool|vec[234]\w?|array|atomic|mat\dx\d\w?)\b|(@\w+)/g;
const kinds = ["comment", "string", "number", "keyword", "type", "attribute"] as const;
const mostColoured = 200_000; // characters

export function codeOf(text: string): DocumentFragment {
  const made = document.createDocumentFragment();
  let at = 0;
  for (const match of text.length > mostColoured ? [] : text.matchAll(lexical)) {
    const kind = kinds[match.slice(1).findIndex((part) => part !== undefined)];
    if (!kind) continue;
    made.append(text.slice(at, match.index));
    const span = document.createElement("span");
    span.className = `code-${kind}`;
    span.textContent = match[0];
    made.append(span);
    at = match.index + match[0].length;
  }
  made.append(text.slice(at));
  return made;
}

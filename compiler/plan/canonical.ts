// A module's text without what only people read: comments go, and names are numbered by their first appearance. Two kernels of equal
// canonical text are one module.
const declared = /\b(?:let|var(?:<[^>]*>)?|const|override|fn)\s+([A-Za-z_]\w*)/g;
const parameter = /(?:\(|,\s*)(?:@builtin\(\w+\)\s+)?([A-Za-z_]\w*):/g;

export function canonicalModule(wgsl: string): string {
  const text = wgsl.replace(/\/\/[^\n]*\n/g, "\n").replace(/\n\s*\n+/g, "\n");
  const names = new Set<string>();
  for (const pattern of [declared, parameter]) for (const m of text.matchAll(pattern)) names.add(m[1]!);
  const numbered = new Map<string, string>();
  return text.replace(/[A-Za-z_]\w*/g, (word, at: number) => {
    if (!names.has(word) || text[at - 1] === "." || /^(dlm_|dim_)/.test(word) || word === "main") return word;
    let own = numbered.get(word);
    if (!own) numbered.set(word, (own = `v${numbered.size}`));
    return own;
  });
}

// The library's reference page. In: its declarations and their `##` comments, the rows of scalar functions and of builtins. Out: Markdown.
import type * as ast from "../grammar/ast.ts";
import { parse } from "../grammar/parser.ts";
import { shaped } from "./elaborate/builtins/shaped.ts";
import { builtins } from "./elaborate/builtins/table.ts";
import { namedFunctions } from "./scalar/table.ts";
import { libraryFiles } from "./std/library.ts";

type Declaration = Exclude<ast.Item, ast.Import | ast.Data | ast.Train>;

/** Markdown: a section for each file of the library, then what is built in. */
export function libraryReference(): string {
  const sections = libraryFiles.map(({ name, text }) => {
    const { file } = parse({ name, text });
    // the file's first comment: "Title. What holds for all of them."
    const [, title, about] = /^# ([^.:]+)[.:] ?(.*)$/m.exec(text) ?? ["", name, ""];
    const entries = file.items
      .filter((i): i is Declaration => i.kind !== "import" && i.kind !== "data" && i.kind !== "train")
      .map(entry);
    return `## ${title}\n\n${about ? `${about[0]!.toUpperCase()}${about.slice(1)}\n\n` : ""}${entries.join("\n")}\n`;
  });
  const scalars = [...namedFunctions.values()].map(
    (f) => `- \`${f.name}(${f.operands.map((_, i) => "abc"[i]).join(", ")})\`: ${f.summary}`,
  );
  const groups = [...builtins, { title: "With a shape in brackets", rows: Object.fromEntries(shaped) }];
  const others = groups.map(({ title, rows }) => {
    const entries = Object.values(rows).map(({ summary }) => `- ${summary}\n`);
    return `${title}:\n\n${entries.join("")}`;
  });
  return `# The library

Everything here but the built-in functions is written in \`.dlm\`, in [\`compiler/std/\`](../compiler/std). A file's own declarations hide these names.
This page is made from the library's comments (\`npx vitest run test/docs -u\`).

${sections.join("\n")}
## Built in

Elementwise, on numbers and tensors:

${scalars.join("\n")}

${others.join("\n")}`;
}
function entry(d: Declaration): string {
  const { text } = d.span.file;
  const signature = text
    .slice(d.span.start, endOfSignature(d))
    .replace(/\s*=\s*$/, "")
    .replace(/\s+/g, " ")
    .trim();
  return `- \`${signature}\`  \n  ${(d.doc ?? "").replaceAll("\n", " ")}`;
}
/** Of a constant, which is another name, all of it. */
function endOfSignature(d: Declaration): number {
  if (d.kind === "const") return d.span.end;
  return d.body.kind === "block" ? d.body.span.start : d.body.value.span.start;
}
/** Names without documentation. */
export function undocumented(): string[] {
  return libraryFiles.flatMap(({ name, text }) =>
    parse({ name, text }).file.items.flatMap((i) => (i.kind !== "import" && !i.doc ? [`${name}: ${i.name.text}`] : [])),
  );
}

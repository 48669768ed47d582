// DLM2508: fields that are loaded and read by nothing.
import type * as ast from "../../grammar/ast.ts";
import { leavingLinesOut } from "../../grammar/fixes.ts";
import type { Lint } from "./finding.ts";
import { callee, expressions } from "./text.ts";

export const unusedFields: Lint = {
  code: "DLM2508",
  severity: "hint",
  check: ({ program, file }) => {
    const heldOut = new Set(program.datasets.flatMap((d) => d.holdouts.flatMap((h) => h.dataset ?? [])));
    return file.items.flatMap((item) => {
      if (item.kind !== "data" || heldOut.has(item.name.text)) return [];
      const trains = file.items.filter(
        (i): i is ast.Train => i.kind === "train" && i.on !== undefined && callee(i.on) === item.name.text,
      );
      const read = readNames(file, item, trains);
      return item.statements.flatMap((s) =>
        trains.length && s.kind === "field" && !read.has(s.name.text)
          ? [
              {
                span: s.name.span,
                message: `the field ${s.name.text} is read by nothing`,
                hint: "leave it out: every field is loaded and kept on the device",
                fixes: [leavingLinesOut(s.span)],
              },
            ]
          : [],
      );
    });
  },
};
/** Names that the data's own formulas and its train blocks use, and members of it anywhere. */
function readNames(file: ast.File, data: ast.Data, trains: readonly ast.Train[]): Set<string> {
  const named = expressions([data.statements, trains.map((t) => t.statements)]).flatMap((e) =>
    e.kind === "name" ? [e.text] : [],
  );
  const members = expressions(file).flatMap((e) =>
    e.kind === "member" && e.operand.kind === "name" && e.operand.text === data.name.text ? [e.name.text] : [],
  );
  return new Set([...named, ...members]);
}

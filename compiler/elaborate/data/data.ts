// Data blocks: columns, fields as formulas of one row, and what is held out. In: the declaration. Out: its state, which train blocks and programs read.
import type * as ast from "../../../grammar/ast.ts";
import { source } from "../../graph/node.ts";
import { dim, iadd, load } from "../../graph/scalar.ts";
import type { Integer, Range } from "../../graph/types.ts";
import { baseContext, type Context, evaluate, type Interpreter, Scope } from "../context.ts";
import { ambientScope, type Attempt, quiet } from "../declarations.ts";
import * as errors from "../errors.ts";
import { bindLet } from "../expression/bodies.ts";
import { int, kindText } from "../values.ts";
import { type Block, type DatasetState, trainingCount } from "./dataset.ts";
import { declareField, declareLoaded, readsFiles } from "./field.ts";

export function declareData(self: Interpreter, item: ast.Data, scope: Scope, attempt: Attempt): DatasetState {
  const name = item.name.text;
  const rows = dim(`rows.${name}`);
  const range = { low: 0, high: iadd(rows, -1) as Range["high"] };
  const row = source({ role: "input", path: `data.${name}.row`, shape: [], dtype: "i32", range });
  const block: Block = {
    name,
    rows,
    row,
    scope: new Scope(scope),
    formulas: new Map(),
    columns: new Map(),
    fields: [],
    holdouts: [],
    rowCount: undefined,
    windowed: false,
  };
  const ambient = rowScope(self, item, block);
  const broken: string[] = [];
  let made = 0;
  for (const s of item.statements) {
    attempt(() => {
      const draws = { count: made++ * 64, path: `data.${name}` };
      declareStatement(s, block, { ...baseContext(self, ambient), draws });
    });
    if (s.kind !== "field" || block.fields.some((f) => f.name === s.name.text)) continue;
    broken.push(s.name.text);
    block.scope.bind(s.name.text, { kind: "lazy", force: quiet });
  }
  attempt(() => checkStrides(block));
  const rowCount = block.rowCount ?? writtenCount(block);
  const { columns, fields, holdouts, windowed } = block;
  const known = { name, rows, ...(rowCount !== undefined ? { rowCount } : {}), holdouts, windowed };
  const shape = [trainingCount(known) ?? dim(`training.${name}`)];
  const training = source({ role: "input", path: `data.${name}.training`, shape, dtype: "i32", range });
  return { public: { ...known, training }, columns, fields, broken, row, rows };
}
/** One row of a block is one place of a text: what one field says of its stride holds for all. */
function checkStrides({ columns }: Block): void {
  const moved = [...columns.values()].flatMap(({ loader, span }) =>
    loader.kind === "windows" && loader.stride !== undefined ? [{ stride: loader.stride, span }] : [],
  );
  const strides = [...new Set(moved.map((m) => m.stride))];
  if (strides.length > 1) throw errors.differentStrides(moved.find((m) => m.stride === strides[1])!.span, strides);
}
/** `row`: the number of the row; `rows`: the number of rows that the block has itself (those of other data lie behind). */
function rowScope(self: Interpreter, item: ast.Data, block: Block): Scope {
  const ambient = ambientScope(false);
  ambient.bind("row", { kind: "int", value: load(block.row, []) as Integer });
  const setting = item.statements.find((s): s is ast.Setting => s.kind === "setting" && s.name.text === "rows");
  const borrows = item.statements.find((s) => s.kind === "holdout" && s.value.kind === "name");
  ambient.bind("rows", {
    kind: "lazy",
    force: () => {
      const given = setting && evaluate(setting.value, block.scope, baseContext(self, ambient));
      if (given?.kind === "number") return given;
      if (borrows) throw errors.notCompiledYet(borrows.span, "borrowedRows");
      return int(block.rows);
    },
  });
  return ambient;
}
function declareStatement(s: ast.DataStatement, block: Block, ctx: Context): void {
  switch (s.kind) {
    case "field":
      return declareField(s, block, ctx);
    case "holdout":
      return declareHoldout(s, block, ctx);
    case "let":
      return readsFiles(s.value, block) ? declareLoaded(s, block, ctx) : bindLet(s, block.scope, ctx);
    case "setting": {
      if (s.name.text !== "rows")
        throw errors.unknownName(s.name.span, s.name.text, ["rows"], { kind: "setting", place: "of a data block" });
      if (s.every) throw errors.settingForm(s.every.span, "rows", "without `every`");
      const v = evaluate(s.value, block.scope, ctx);
      if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 1)
        throw errors.settingNeeds(s.value.span, "rows", "positive");
      block.rowCount = v.value;
      return;
    }
    default:
      s satisfies never;
  }
}
function declareHoldout(s: ast.Holdout, { holdouts, scope }: Block, ctx: Context): void {
  const name = s.name.text;
  const v = evaluate(s.value, scope, ctx);
  const before = holdouts.find((h) => h.name === name);
  if (before) throw errors.twice(s.name.span, name, before.span);
  if (v.kind === "dataset") {
    holdouts.push({ name, dataset: v.name, span: s.span });
    return;
  }
  if (v.kind !== "number" || v.value <= 0 || v.value >= 1) throw errors.notShare(s.value.span, kindText(v));
  if (holdouts.reduce((sum, h) => sum + (h.fraction ?? 0), v.value) >= 1) throw errors.nothingToTrain(s.value.span);
  holdouts.push({ name, fraction: v.value, span: s.span });
}
/** The number of rows that are written in the file. */
function writtenCount({ columns }: Block): number | undefined {
  for (const { loader, shape } of columns.values())
    if (loader.kind === "inline")
      return (
        loader.values.length /
        Math.max(
          1,
          shape.reduce((a, b) => a * b, 1),
        )
      );
  return undefined;
}

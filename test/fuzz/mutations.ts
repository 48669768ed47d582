// Mutated source texts: whatever the text, analysis ends soon with a program or with diagnostics in the user's words; it throws nothing. What still has no
// errors is compiled too.
import { readdirSync, readFileSync } from "node:fs";
import { compile } from "../../compiler/compile.ts";
import { analyse } from "../../compiler/front.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import type { Area, Outcome } from "./area.ts";
import { callProgram } from "./calls.ts";
import { exactProgram } from "./exact.ts";
import { random, type Random } from "./random.ts";
import { smoothProgram } from "./smooth.ts";
import { realFiles } from "./sources.ts";
import { trainingArea } from "./training.ts";

interface SourceCase {
  readonly text: string;
}
const filesOf = (folder: string): string[] => {
  const at = new URL(`../../test/${folder}/`, import.meta.url);
  return readdirSync(at)
    .filter((f) => f.endsWith(".dlm"))
    .map((f) => readFileSync(new URL(f, at), "utf8"));
};
const texts = [...filesOf("errors"), ...filesOf("language"), ...realFiles.map((f) => f.text)].filter(
  (t) => t.length < 4000,
);
const words =
  'let param state next return fn layer model train data field minimize wrt by every metric holdout for over in if then else stack of scan fold along x y B T ...S 0 1 -1 0.5 1e9 1e39 2147483648 -2147483649 999999999999 0..0 5..2 [] () ( ) [ ] { } : , ; = == |> >> + - * / // % @ ^ .. ?? ~ -> . f32 i32 bool sum mean max argmax normal randint grad stop frozen where Linear Conv2d relu adam true inf axis: keep: "s" `a -> a` x[0] x[1..1] zeros[0] [B,1]'.split(
    " ",
  );
const tokens = (text: string): string[] =>
  text.match(
    /\s+|"[^"\n]*"|`[^`\n]*`|#[^\n]*|[A-Za-z_]\w*|\d+(\.\d+)?([eE][-+]?\d+)?|\.\.\.|\.\.|->|\|>|>>|==|!=|<=|>=|\?\?|\/\/|\S/g,
  ) ?? [];
function mutated(parts: string[], r: Random): string {
  for (let n = r.pick([1, 1, 2, 3, 6]); n > 0 && parts.length; n--) {
    const at = r.int(0, parts.length - 1);
    switch (r.int(0, 6)) {
      case 0:
        parts.splice(at, 1);
        break;
      case 1:
        parts.splice(at, 0, r.pick(parts));
        break;
      case 2:
      case 3:
        parts[at] = r.pick(words);
        break;
      case 4: {
        const other = r.int(0, parts.length - 1);
        [parts[at], parts[other]] = [parts[other]!, parts[at]!];
        break;
      }
      case 5: {
        const numbers = parts.flatMap((p, i) => (/^\d/.test(p) ? [i] : []));
        if (numbers.length)
          parts[r.pick(numbers)] = r.pick(["0", "1", "2", "3", "7", "100000", "0.5", "2147483647", "1e39"]);
        break;
      }
      default: {
        const names = parts.flatMap((p, i) => (/^[A-Za-z]/.test(p) ? [i] : []));
        if (names.length) parts[r.pick(names)] = parts[r.pick(names)]!;
      }
    }
  }
  return parts.join("");
}
function make(seed: number): SourceCase {
  const r = random(seed);
  const whole = r.chance(0.1)
    ? ""
    : r.pick([
        () => r.pick(texts),
        () => exactProgram(seed).text,
        () => smoothProgram(seed).text,
        () => callProgram(seed).text,
        () => trainingArea.make(seed).text,
      ])();
  return { text: mutated(r.chance(0.15) ? [...whole] : tokens(whole), r) };
}
/** Words of the implementation, which no message may show unless the text has them. */
const internal = /\bundefined\b|\[object \w+\]|\bNaN\b|=> |\bof null\b|\bprototype\b|compiler\/|\bcompute\(|\$\{/;
async function check({ text }: SourceCase): Promise<Outcome> {
  const began = process.cpuUsage();
  const { program, diagnostics } = analyse(text, { name: "fuzz.dlm", pedantic: true });
  const taken = process.cpuUsage(began).user / 1e6; // of this process alone: machines are shared
  if (taken > 5) throw new Error(`analysis takes ${Math.round(taken)} s`);
  if (!program && !renderDiagnostics(diagnostics)) throw new Error("no program, and no diagnostics");
  for (const d of diagnostics) {
    const words = [
      d.message,
      ...(d.hint ? [d.hint] : []),
      ...(d.notes ?? []),
      ...(d.labels ?? []).map((l) => l.text),
    ].join("\n");
    const leak = internal.exec(words)?.[0];
    if (leak && !text.toLowerCase().includes(leak.trim().toLowerCase()))
      // `nan` is answered with NaN
      throw new Error(`a message shows ${JSON.stringify(leak)}: ${d.code} ${words}`);
    if (!(d.span.start >= 0 && d.span.start <= d.span.end && d.span.end <= d.span.file.text.length))
      throw new Error(`${d.code} lies outside of its file`);
  }
  if (!program) return "refused";
  const compiled = compile(text, { name: "fuzz.dlm" });
  // what a target cannot hold is found where the plan is made
  if (!compiled.plan && !compiled.diagnostics.length) throw new Error("compile has neither a plan nor diagnostics");
  return "held";
}
export const sourceArea: Area<SourceCase> = {
  name: "sources",
  make,
  check,
  smaller: function* ({ text }) {
    const lines = text.split("\n");
    for (let size = Math.ceil(lines.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0)
      for (let i = 0; i < lines.length; i += size)
        yield { text: [...lines.slice(0, i), ...lines.slice(i + size)].join("\n") };
    const parts = tokens(text);
    if (parts.length < 120)
      for (let i = 0; i < parts.length; i++)
        if (/\S/.test(parts[i]!)) yield { text: parts.filter((_, k) => k !== i).join("") };
  },
};

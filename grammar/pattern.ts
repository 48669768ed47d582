// Axis patterns, the text between backquotes: `b t (h d) -> b h t d`, or `i j, j k -> i k`.
import type { AxisPattern, PatternAxis } from "./ast.ts";

export type PatternResult = { readonly pattern: AxisPattern } | { readonly problem: string; readonly offset: number };

/** Reads the text without its backquotes; offsets of problems count from its start. */
export function parsePattern(text: string): PatternResult {
  const tokens = [...text.matchAll(/->|\.\.\.|[A-Za-z_][A-Za-z0-9_]*|\d+|[(),]|\S/g)].map((m) => ({
    text: m[0],
    offset: m.index,
  }));
  let at = 0;
  let problem: { problem: string; offset: number } | undefined;
  const fail = (reason: string): void => {
    problem ??= { problem: reason, offset: tokens[at]?.offset ?? text.length };
    at = tokens.length;
  };
  const axes = (inGroup: boolean): PatternAxis[] => {
    const result: PatternAxis[] = [];
    for (; at < tokens.length;) {
      const { text: t } = tokens[at]!;
      if (t === "," || t === "->" || t === ")") break;
      if (t === "(") {
        if (inGroup) {
          fail("groups do not nest");
          break;
        }
        at += 1;
        const group = axes(true);
        if (tokens[at]?.text !== ")") {
          fail("a group is not closed");
          break;
        }
        result.push({ kind: "group", axes: group });
      } else if (t === "...") result.push({ kind: "rest" });
      else if (t === "1") result.push({ kind: "one" });
      else if (/^[A-Za-z_]/.test(t)) result.push({ kind: "axis", name: t });
      else {
        fail(`\`${t}\` is not an axis`);
        break;
      }
      at += 1;
    }
    return result;
  };
  const inputs = [axes(false)];
  while (tokens[at]?.text === ",") {
    at += 1;
    inputs.push(axes(false));
  }
  if (!problem && tokens[at]?.text !== "->")
    fail(tokens[at]?.text === ")" ? "a group is closed that was not opened" : "the arrow `->` is missing");
  at += 1;
  const output = problem ? [] : axes(false);
  if (!problem && at < tokens.length) fail(`nothing may follow the output, but there is \`${tokens[at]!.text}\``);
  return problem ?? { pattern: { inputs, output } };
}

// Where an offset lies in a text that may be unfinished, by its tokens alone: the word that is being written, the brackets and calls around it.
import { declarationWords } from "../../grammar/mistakes.ts";
import type { Comment } from "../../grammar/parser.ts";
import { firstOnLine } from "../../grammar/reader.ts";
import { endOf, kindOf, reserved, type Token } from "../../grammar/tokens.ts";
import type { Document } from "./document.ts";

export interface Place {
  readonly word: string; // before the offset, as far as it is written
  readonly start: number; // where the word begins
  readonly inside: "comment" | "string" | "pattern" | undefined;
  readonly before: readonly Token[]; // of the declaration, up to the word
  readonly calls: readonly OpenCall[]; // around the offset, the innermost first
  /** Inside braces: the word of what they belong to (`train`, `scan`, ...). */
  readonly block: string | undefined;
  /** The word of the declaration. */
  readonly item: string | undefined;
}
/** A call whose bracket is open at the offset. */
export interface OpenCall {
  readonly callee: Token; // a name
  readonly list: 0 | 1; // the first parentheses, or the second ones of a layer
  readonly index: number; // arguments before this one
  readonly named: readonly string[]; // names that are given in it
  readonly current: string | undefined; // the name of the argument at the offset
  readonly isPiped: boolean; // the first input comes from `x |>`
  readonly isData: boolean; // `train ... on digits(`
  readonly chain: readonly string[]; // names with points before the callee
}
const isWord = (t: Token): boolean => kindOf(t) === "name" || reserved.has(kindOf(t));
const opening = new Set(["(", "[", "{"]);
const closing = new Set([")", "]", "}"]);

export function placeAt({ file, comments, lexed }: Document, offset: number): Place {
  const { text } = file.source;
  const tokens = lexed().tokens;
  const n = firstEndingAt(tokens, offset);
  const at = tokens[n];
  const touched = at && at.startOffset < offset ? at : undefined;
  const kind = touched && kindOf(touched);
  const word = touched && isWord(touched) ? touched : undefined;
  const isOpen = touched !== undefined && (endOf(touched) > offset || touched.image.at(-1) !== touched.image[0]);
  const inside =
    (kind === "string" || kind === "pattern") && isOpen
      ? kind
      : offset <=
          commentEnd(
            text,
            comments.findLast((c) => c.start < offset),
          )
        ? "comment"
        : undefined;
  const end = word || inside === "string" || inside === "pattern" || !touched ? n : n + 1;
  const opens: number[] = [];
  let depth = 0;
  let block: string | undefined;
  let from = 0;
  let item: string | undefined;
  for (let i = end - 1; i >= 0; i--) {
    const own = kindOf(tokens[i]!);
    if (closing.has(own)) depth += 1;
    else if (opening.has(own)) {
      if (depth > 0) depth -= 1;
      else opens.push(i);
    } else if (
      (own === "scan" || own === "fold") &&
      depth === 0 &&
      kindOf(tokens[opens.at(-1) ?? -1] ?? tokens[i]!) === "{"
    )
      block ??= own;
    else if (declarationWords.includes(own) && (own !== "fn" || declaresFn(text, tokens, i))) {
      [from, item] = [i, own];
      break;
    }
  }
  if (item !== undefined && opens.some((i) => kindOf(tokens[i]!) === "{")) block ??= item;
  const calls = opens.flatMap((i) => callAt(tokens, i, end) ?? []);
  return {
    word: word ? text.slice(word.startOffset, offset) : "",
    start: word ? word.startOffset : offset,
    inside,
    before: tokens.slice(from, end),
    calls,
    block,
    item,
  };
}
const declaresFn = (text: string, tokens: readonly Token[], i: number): boolean =>
  firstOnLine(text, tokens, i) || tokens[i - 1]?.tokenType.name === "export";
function commentEnd(text: string, comment: Comment | undefined): number {
  if (!comment) return -1;
  const end = text.indexOf("\n", comment.start);
  return end < 0 ? text.length : end;
}
/** The first token that ends at the offset or behind it. */
export function firstEndingAt(tokens: readonly Token[], offset: number): number {
  let [low, high] = [0, tokens.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(tokens[middle]!) >= offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
/** The call that this bracket opens, as far as it is written. */
function callAt(tokens: readonly Token[], open: number, end: number): OpenCall | undefined {
  if (kindOf(tokens[open]!) !== "(") return undefined;
  let before = open - 1;
  let list: 0 | 1 = 0;
  if (before >= 0 && kindOf(tokens[before]!) === ")") {
    list = 1;
    before = matching(tokens, before) - 1;
  } else if (before >= 0 && kindOf(tokens[before]!) === "]") before = matching(tokens, before) - 1; // reshape[B, 4](
  const callee = tokens[before];
  if (!callee || kindOf(callee) !== "name") return undefined;
  const chain: string[] = [];
  let head = before - 1;
  for (; head > 0 && kindOf(tokens[head]!) === "." && isWord(tokens[head - 1]!); head -= 2)
    chain.unshift(tokens[head - 1]!.image);
  const introducing = tokens[head]?.tokenType.name;
  if (introducing !== undefined && declarationWords.includes(introducing) && introducing !== "import") return undefined; // its own parameters
  return {
    callee,
    list,
    chain,
    isPiped: introducing === "|>",
    isData: introducing === "on",
    ...argumentAt(tokens, open, end),
  };
}
function argumentAt(
  tokens: readonly Token[],
  open: number,
  end: number,
): Pick<OpenCall, "index" | "named" | "current"> {
  const named: string[] = [];
  let [index, depth, current] = [0, 0, undefined as string | undefined];
  for (let i = open + 1; i < end; i++) {
    const kind = kindOf(tokens[i]!);
    if (opening.has(kind)) depth += 1;
    else if (closing.has(kind)) depth -= 1;
    else if (depth === 0 && kind === ",") [index, current] = [index + 1, undefined];
    else if (
      depth === 0 &&
      kind === ":" &&
      ["(", ","].includes(tokens[i - 2]?.tokenType.name ?? "") &&
      isWord(tokens[i - 1]!)
    ) {
      current = tokens[i - 1]!.image;
      named.push(current);
    }
  }
  return { index, named, current };
}
/** The bracket that this closing one closes, or the beginning. */
function matching(tokens: readonly Token[], close: number): number {
  let depth = 0;
  for (let i = close; i >= 0; i--) {
    const kind = kindOf(tokens[i]!);
    if (closing.has(kind)) depth += 1;
    else if (opening.has(kind) && --depth === 0) return i;
  }
  return 0;
}

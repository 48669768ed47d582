// dlm run where an export reads or writes a text: typed and shown as such, what it goes on with apart from what it writes.
import { expect, test } from "vitest";
import { events, program } from "./program.ts";

const { dlm, put } = program();
// `write` counts on; nothing is learned
const model = (loader: string, window: number): string => `data t {
  field ids: i32[${window + 1}] in 0..6 = ${loader}("${loader}.txt", window: ${window + 1})
}
export fn write(ids: i32[B, T] in 0..6, more: i32 = 1) -> i32[7, B] in 0..6 =
  scan (k in 0..7; c = ids[:, -1]) {
    let n = (c + more) % 6
    next c = n
    yield n
  }
export fn last(ids: i32[B, ${window}] in 0..6) -> i32[B, 3] in 0..6 = ids[:, ${window - 3}..${window}]
export fn reversed(ids: i32[B, ${window}] in 0..6) -> i32[B, ${window}] in 0..6 = flip(ids, axis: 1)
export fn doubled(x: i32[B] in 0..100) -> i32[B] = 2 * x
`;
const run = (file: string, name: string, ...more: readonly string[]) => dlm(["run", file, name, ...more]);

test("characters: what is typed stands before what is written, apart", async () => {
  put("chars.txt", "abcdef\n".repeat(3).replaceAll("\n", ""));
  put("chars.dlm", model("chars", 4));
  const written = await run("chars.dlm", "write", "--input", 'ids="fab"');
  expect(written).toEqual({ status: 0, err: "", out: 'write: i32[7, 1]\n  after "fab"\n  cdefabc\n' });
  const rows = await run("chars.dlm", "write", "--input", 'ids=["ab", "ce"]', "--input", "more=2");
  expect(rows.out).toBe('write: i32[7, 2]\n  after "ab"\n  dfbdfbd\n  after "ce"\n  aceacea\n');
  const numbers = await run("chars.dlm", "write", "--input", "ids=[[5, 0, 1]]");
  expect(numbers.out).toBe("write: i32[7, 1]\n  cdefabc\n");
  const json = events((await run("chars.dlm", "write", "--input", 'ids="fab"', "--json")).out);
  expect(json[0]).toMatchObject({
    outputs: { write: { shape: [7, 1], text: ["cdefabc"], values: [[2], [3], [4], [5], [0], [1], [2]] } },
  });
});
test("as many as the model reads: the beginning of the data stands before what is shorter, and the last ones count", async () => {
  const short = await run("chars.dlm", "last", "--input", 'ids="e"');
  expect(short).toEqual({
    status: 0,
    err: "ids has 4 characters: before what is shorter stands the beginning of chars.txt\n",
    out: 'last: i32[1, 3]\n  after "e"\n  bce\n',
  });
  expect((await run("chars.dlm", "last", "--input", 'ids="abcdefab"')).out).toContain("\n  fab\n");
  // as long as what comes in: another text, and not what goes on
  expect((await run("chars.dlm", "reversed", "--input", 'ids="abcd"')).out).toBe("reversed: i32[1, 4]\n  dcba\n");
});
test("words", async () => {
  put("words.txt", "one two three four one two three one two one\n");
  put("words.dlm", model("words", 3));
  // padding, unknown, then by falling count
  const written = await run("words.dlm", "write", "--input", 'ids="four one"');
  expect(written.out).toMatch(/^write: i32\[7, 1\]\n {2}after "four one"\n {2}two three four /);
});
test("what cannot be read is told; without the data, numbers are numbers", async () => {
  const unknown = await run("chars.dlm", "write", "--input", 'ids="aXbY"');
  expect(unknown).toMatchObject({
    status: 1,
    err: expect.stringMatching(/^dlm: --input ids: chars\.txt has no "X", "Y"\n/),
  });
  const none = await run("chars.dlm", "doubled", "--input", 'x="ab"');
  expect(none.err).toMatch(
    /^dlm: --input x: it is x: i32\[B\] in 0\.\.100, and no text of the data has such numbers\n/,
  );
  expect((await run("chars.dlm", "write", "--input", 'ids="ab')).err).toContain('"ab is no text in double quotes');
  expect((await run("chars.dlm", "doubled", "--input", "x=[1, 2]")).out).toContain("2  4");
});

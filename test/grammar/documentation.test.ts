// `##` comments: the documentation of the declaration right below them.
import { expect, test } from "vitest";
import { parse } from "../../grammar/parser.ts";

const documentation = (text: string): (string | undefined)[] =>
  parse({ name: "x.dlm", text }).file.items.map((i) => i.doc);

test("lines right before a declaration", () => {
  expect(documentation("## one\n## two\nconst a = 1\n")).toEqual(["one\ntwo"]);
  expect(documentation("## far\n\nconst a = 1\n")).toEqual([undefined]);
  expect(documentation("## not next\n# plain\nconst a = 1\n")).toEqual([undefined]);
});
test("a comment behind a declaration belongs to it, not to the next", () => {
  expect(documentation("const a = 1 ## about a\nconst b = 2\n")).toEqual([undefined, undefined]);
  expect(documentation("const a = 1 ## about a\n## about b\nconst b = 2\n")).toEqual([undefined, "about b"]);
});

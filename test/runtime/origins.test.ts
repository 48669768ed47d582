// What a model names, a page asks its own server for and no other; the host of the page may name another place.
import { afterEach, beforeEach, expect, test } from "vitest";
import { fetchFile } from "../../runtime/trainer.ts";

const asked: string[] = [];
const own = globalThis.fetch;
beforeEach(() => {
  asked.length = 0;
  globalThis.fetch = async (place) => {
    asked.push(String(place));
    return new Response("1,2\n", { headers: { "content-type": "text/csv" } });
  };
});
afterEach(() => void (globalThis.fetch = own));
const origin = { url: "https://school.example/net/trainer.mjs", data: "../data" };

test.each([
  "http://other.example/x.csv",
  "//other.example/x.csv",
  "https://school.example:8443/x.csv",
  "http://school.example/x.csv",
  "data:text/csv,1",
])("%s is asked for nowhere", async (path) => {
  await expect(fetchFile(origin, path)).rejects.toThrow(
    `${path} is on another server, and a model asks none but its own`,
  );
  expect(asked).toEqual([]);
});
test("its own server's files, and those where the host says", async () => {
  await fetchFile(origin, "x.csv");
  await fetchFile(origin, "/all/x.csv");
  await fetchFile(origin, "x.csv", "https://files.example/data");
  expect(asked).toEqual([
    "https://school.example/net/x.csv",
    "https://school.example/all/x.csv",
    "https://files.example/data/x.csv",
  ]);
});

// The plugin for Vite while a model is written, which is for hours: every save makes modules for further targets, and those of former texts go.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "vite";
import { expect, test } from "vitest";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import dlm from "../../compiler/cli/vite.ts";

const root = mkdtempSync(join(tmpdir(), "dlm-rebuilds-"));

test("modules for further targets are those of the text as it is and as it was before", async () => {
  const server = await createServer({
    root,
    configFile: false,
    logLevel: "silent",
    appType: "custom",
    server: { middlewareMode: true, ws: false },
    plugins: [dlm({ parts: await trainerParts(), types: false })],
  });
  const put = (name: string, width: number): void =>
    writeFileSync(
      join(root, name),
      `model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(${width}, act: tanh) |> Linear(1)
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)
`,
    );
  const modulesOf = async (name: string): Promise<readonly string[]> => {
    server.moduleGraph.invalidateAll();
    const { code } = (await server.transformRequest(`/${name}`))!;
    const found = [...code.matchAll(/__x00__(dlm:for:[^"'`?]+)/g)].map(([, id]) => `\0${id}`);
    expect(found.length).toBe(2);
    return found;
  };
  const are = (ids: readonly string[]): Promise<readonly boolean[]> =>
    Promise.all(ids.map(async (id) => (await server.pluginContainer.load(id)) !== null));
  try {
    put("other.dlm", 3);
    const other = await modulesOf("other.dlm");
    const saves: (readonly string[])[] = [];
    for (const width of [2, 3, 4, 5]) {
      put("model.dlm", width);
      saves.push(await modulesOf("model.dlm"));
      expect(await modulesOf("model.dlm")).toEqual(saves.at(-1)); // once more, and as a server has it, is no other text
    }
    expect(await Promise.all(saves.map(are))).toEqual([
      [false, false],
      [false, false],
      [true, true],
      [true, true],
    ]);
    expect(await are(other)).toEqual([true, true]);
  } finally {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  }
});

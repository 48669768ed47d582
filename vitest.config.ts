import { defineConfig } from "vitest/config";

// Tests that need a device take it from test/device.ts. Each file runs in a process of its own: a driver is chosen for a whole process.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], testTimeout: 300_000, pool: "forks", maxWorkers: "100%" },
});

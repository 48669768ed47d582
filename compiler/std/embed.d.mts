// Types of embed.mjs.

/** The text of library.ts. */
export declare function libraryModule(): string;

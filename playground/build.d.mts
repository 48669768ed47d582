/** Into a folder, which is made anew; gives its path. */
export function buildPlayground(folder?: string): Promise<string>;

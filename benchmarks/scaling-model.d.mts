/** The tables of docs/scaling.md by their names. */
export function scalingTables(): Record<string, string>;
/** The page with the tables between their marks. Throws where a table has no marks. */
export function pageWithTables(page: string): string;

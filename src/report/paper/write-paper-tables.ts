import { join } from 'node:path';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { type NamedResult, paperTables } from './paper-table.js';
import { paperTableLatex, paperTableMarkdown } from './paper-table-text.js';

/**
 * Writes the paper's tables with our rows into a folder, `table-1.md` and `table-1.tex` to 4. Returns the
 * files.
 */
export async function writePaperTables(folder: string, results: readonly NamedResult[]): Promise<string[]> {
  await makeFolder(folder);
  const files = paperTables(results).flatMap((table) => [
    { file: join(folder, `table-${table.number}.md`), text: paperTableMarkdown(table) },
    { file: join(folder, `table-${table.number}.tex`), text: paperTableLatex(table) },
  ]);
  await Promise.all(files.map(({ file, text }) => writeWholeFile(file, `${text}\n`)));
  return files.map(({ file }) => file);
}

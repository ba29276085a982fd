// Writes the JSON Schemas of configurations, for editors, from the schemas that the program checks them by, into dist/schema.
// Usage: node scripts/write-schemas.mjs, after the sources are compiled (npm run build does both)
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jsonSchemas } from '../dist/config/index.js';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist', 'schema');
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(schema, null, 1)}\n`);
}

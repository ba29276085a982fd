// Builds the site of the documents into api-docs/site. The pages are copied beside these packages, since VitePress looks for Vue there.
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vitepress';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
rmSync(here('pages'), { recursive: true, force: true });
cpSync(here('../docs'), here('pages'), { recursive: true });
await build(here('pages'));

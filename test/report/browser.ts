import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** The browser of the machine: `CHROMIUM_PATH`, or `chromium` on the search path; undefined where there is none. */
export function chromiumPath(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'chromium'));
  return [process.env.CHROMIUM_PATH, ...onPath].find(
    (file) => file !== undefined && file !== '' && isExecutable(file),
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Headless, with WebGL drawn in software, so that it needs no graphics card. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  const softwareGl = ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...softwareGl] });
}

/** A page, and what it complained about and asked the network for so far. */
export interface WatchedPage {
  readonly page: Page;
  readonly errors: string[];
  readonly requests: string[];
}

export async function openPage(
  browser: Browser,
  file: string,
  { width, height, dark }: { readonly width: number; readonly height: number; readonly dark: boolean },
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
  const [errors, requests]: [string[], string[]] = [[], []];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) requests.push(request.url());
  });
  await page.goto(`file://${file}`);
  return { page, errors, requests };
}

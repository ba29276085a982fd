import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeReport } from '../../src/report/index.js';
import { chromiumPath, launchBrowser, openPage, type WatchedPage } from './browser.js';
import { decodePng } from './pixels.js';
import { hostileName, sampleCase, sampleContent } from './report-samples.js';

const executable = chromiumPath();
const folder = mkdtempSync(join(tmpdir(), 'report-in-browser-'));
const file = join(folder, 'report.html');
let browser: Browser;
let opened: WatchedPage;

describe.skipIf(!executable)('the report in a browser (skipped without chromium: set CHROMIUM_PATH)', () => {
  beforeAll(async () => {
    await writeReport(
      file,
      sampleContent([sampleCase('good', 'ours', 1), sampleCase(hostileName, 'ours', 6)]),
    );
    browser = await launchBrowser(executable!);
    opened = await openPage(browser, file, { width: 1280, height: 480, dark: false });
    await opened.page.waitForSelector('#viewer[data-shown="case-1"]');
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('shows names of files as text, whatever they hold', async () => {
    const { page } = opened;
    expect(await page.title()).toBe(`Report ${hostileName}`);
    expect(await page.textContent('h1')).toBe(`Report ${hostileName}`);
    expect(await page.locator('img[src=x]').count()).toBe(0);
    expect(await page.locator('#viewer-case option').allTextContents()).toEqual([
      `${hostileName}, ours`,
      'good, ours',
    ]);
  });

  it('draws the volumes, the worst case first', async () => {
    const { distinct, strong } = await canvasColours(opened);
    expect(distinct).toBeGreaterThan(50);
    expect(strong.red).toBeGreaterThan(500);
    expect(await opened.page.textContent('#viewer [role=status]')).toContain(hostileName);
  });

  it('takes a class, a volume and the image away and back by their boxes', async () => {
    const { page } = opened;
    await page.selectOption('#viewer-layout', 'axial');
    const all = await canvasColours(opened);
    await page.getByRole('checkbox', { name: 'tumour' }).uncheck();
    const without = await canvasColours(opened);
    expect(without.strong.blue).toBeLessThan(0.2 * all.strong.blue);
    await page.getByRole('checkbox', { name: 'liver' }).uncheck();
    expect((await canvasColours(opened)).strong.red).toBeLessThan(0.2 * all.strong.red);
    for (const name of ['tumour', 'liver']) await page.getByRole('checkbox', { name }).check();
    for (const part of ['reference', 'prediction']) await page.locator(`#show-${part}`).uncheck();
    const greyOnly = await canvasColours(opened);
    expect(
      [greyOnly.strong.blue, greyOnly.strong.red].every(
        (count, i) => count < 0.2 * [all.strong.blue, all.strong.red][i]!,
      ),
    ).toBe(true);
    await page.locator('#show-image').uncheck();
    expect((await canvasColours(opened)).distinct).toBeLessThan(0.5 * greyOnly.distinct);
    for (const part of ['image', 'reference', 'prediction']) await page.locator(`#show-${part}`).check();
    expect((await canvasColours(opened)).strong).toEqual(all.strong);
  });

  it('draws labels as outlines or areas, as opaque as asked, and the image in another window', async () => {
    const { page } = opened;
    await page.selectOption('#viewer-layout', 'axial');
    await page.locator('#show-reference').uncheck();
    const area = await canvasColours(opened);
    await page.selectOption('#prediction-as', 'outline');
    const outline = await canvasColours(opened);
    expect(outline.strong.red).toBeGreaterThan(50);
    expect(outline.strong.red).toBeLessThan(0.5 * area.strong.red);
    await page.selectOption('#prediction-as', 'area');
    await page.locator('#opacity').fill('5');
    expect((await canvasColours(opened)).strong.red).toBeLessThan(0.2 * area.strong.red);
    await page.locator('#opacity').fill('55');
    expect((await canvasColours(opened)).strong).toEqual(area.strong);
    await page.locator('#show-prediction').uncheck();
    const wide = await canvasBrightness(opened);
    const level = page.locator('#window-level');
    await level.fill((await level.getAttribute('min'))!);
    expect(await canvasBrightness(opened)).toBeGreaterThan(1.2 * wide);
    expect(await page.textContent('#window-values')).toMatch(/^-?[\d.]+ to [\d.]+$/);
    for (const part of ['reference', 'prediction']) await page.locator(`#show-${part}`).check();
  });

  it('goes through slices and turns by the keyboard', async () => {
    const { page } = opened;
    for (const [id, layout] of [
      ['slice-z', 'axial'],
      ['turn', 'turned'],
    ] as const) {
      await page.selectOption('#viewer-layout', layout);
      const before = await page.locator('#viewer canvas').screenshot();
      await page.locator(`#${id}`).focus();
      for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
      expect((await page.locator('#viewer canvas').screenshot()).equals(before)).toBe(false);
    }
  });

  it('shows another case by its button in the table', async () => {
    const { page } = opened;
    await page.selectOption('#viewer-layout', 'axial');
    await page.locator('#cases summary').first().click();
    await page.getByRole('button', { name: 'view good' }).click();
    await page.waitForSelector('#viewer[data-shown="case-2"]');
    expect(await page.inputValue('#viewer-case')).toBe('case-2');
  });

  it('sorts a table by mouse and keyboard, and says how', async () => {
    const { page } = opened;
    const table = page.locator('#tables table', { hasText: 'Table 3.' });
    const rows =
      '[...document.querySelectorAll("#tables table")].find(({ caption }) => caption.textContent.startsWith("Table 3.")).tBodies[0].rows';
    const column = async () =>
      (await page.evaluate(`[...${rows}].map(({ cells }) => cells[1].dataset.value)`)) as string[];
    const numbers = (await column()).map(Number);
    await table.getByRole('button', { name: 'WT' }).click();
    expect((await column()).map(Number)).toEqual(numbers.toSorted((a, b) => a - b));
    await page.keyboard.press('Enter');
    expect((await column()).map(Number)).toEqual(numbers.toSorted((a, b) => b - a));
    expect(await table.locator('th[aria-sort=descending]').textContent()).toBe('WT');
    await table.getByRole('button', { name: 'Methods' }).click();
    expect(await table.locator('th[scope=row]').first().textContent()).toBe('brats 0.2 (ours)');
  });

  it.each([
    { width: 1280, height: 480, dark: false },
    { width: 390, height: 480, dark: true },
  ])(
    'has no serious fault of accessibility and no sideways scrolling at $width pixels, dark: $dark',
    async (look) => {
      const { page, errors } = await openPage(browser, file, look);
      await page.waitForSelector('#viewer[data-shown]');
      await page.evaluate('document.querySelectorAll("details").forEach(details => { details.open = true })');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(look.width);
      // The first number of every table can be read without scrolling sideways, whatever the name beside it.
      const rightEdges = (await page.evaluate(
        '[...document.querySelectorAll("#results td:nth-child(2), #cases td:nth-child(2)")].map(cell => cell.getBoundingClientRect().right)',
      )) as number[];
      expect(rightEdges.length).toBeGreaterThan(3);
      expect(Math.max(...rightEdges)).toBeLessThan(look.width);
      await page.evaluate(
        readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'),
      );
      const violations = (await page.evaluate(
        'axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0].html })))',
      )) as {
        impact: string;
      }[];
      expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
      expect(errors).toEqual([]);
      await page.close();
    },
  );

  it('has asked the network for nothing, and complained of nothing', () => {
    expect(opened.requests).toEqual([`file://${file}`]);
    expect(opened.errors).toEqual([]);
  });
});

/** Mean of the viewer's pixels, 0 to 255. */
async function canvasBrightness({ page }: WatchedPage): Promise<number> {
  await page.evaluate('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))');
  const { rgba } = decodePng(await page.locator('#viewer canvas').screenshot());
  let sum = 0;
  for (let i = 0; i < rgba.length; i += 4) sum += rgba[i]! + rgba[i + 1]! + rgba[i + 2]!;
  return sum / ((3 * rgba.length) / 4);
}

/** Colours of the viewer: how many there are, and the pixels that are clearly of the colour of the liver (red) and the tumour (blue). */
async function canvasColours({
  page,
}: WatchedPage): Promise<{ distinct: number; strong: { red: number; blue: number } }> {
  await page.evaluate('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))');
  const { rgba } = decodePng(await page.locator('#viewer canvas').screenshot());
  const strong = { red: 0, blue: 0 };
  const colours = new Set<number>();
  for (let i = 0; i < rgba.length; i += 4) {
    const [r, g, b] = [rgba[i]!, rgba[i + 1]!, rgba[i + 2]!];
    colours.add((r << 16) | (g << 8) | b);
    if (r > g + 40 && r > b + 40) strong.red++;
    if (b > r + 40 && g < b && r < g) strong.blue++;
  }
  return { distinct: colours.size, strong };
}

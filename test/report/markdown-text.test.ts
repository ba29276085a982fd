import { describe, expect, it } from 'vitest';
import { evaluationCsv, summarise } from '../../src/evaluation/index.js';
import { escapeXml } from '../../src/report/figures/svg-to-png.js';
import { markdownTable, markdownText } from '../../src/report/index.js';
import { paperTableLatex } from '../../src/report/paper/paper-table-text.js';

describe('names of cases and classes', () => {
  it.each([
    ['a|b', 'a\\|b'],
    ['a|b\\|c', 'a\\|b\\\\\\|c'],
    ['<script>alert(1)</script>', '\\<script>alert(1)\\</script>'],
    ['two\nlines\r\nor\u2028three', 'two lines or three'],
    ['\u001b[31mred', ' [31mred'],
    ['[here](javascript:x)', '[here]\\(javascript:x)'],
    ['**92.1** (1)', '**92.1** (1)'],
    ['left_kidney', 'left_kidney'],
  ])('%j is %j in Markdown', (text, expected) => {
    expect(markdownText(text)).toBe(expected);
    const [, , row = ''] = markdownTable(['name', 'x'], [[text, '1']]).split('\n');
    expect(row.startsWith(`| ${expected}`)).toBe(true);
    expect(markdownTable(['name', 'x'], [[text, '1']]).split('\n')).toHaveLength(3);
  });

  it.each(['=1+1', '+cmd|x', '-2', '@SUM(A1)', '\t=1', ' =1', '\uff1d1', '\r=1'])(
    '%j is no formula in CSV',
    (name) => {
      const evaluation = summarise(
        't',
        [name],
        [
          {
            id: name,
            classes: { [name]: { dice: 1, hd95: 0, status: 'ok', relativeVolumeDifference: -0.25 } },
          },
        ],
      );
      const text = evaluationCsv(evaluation);
      const rows = text.split('\n').slice(1).join('\n');
      for (const field of rows.split(/,|\n/)) expect(field).not.toMatch(/^"?\s*[=+@\uff1d]/);
      expect(rows).toContain(`'${name}`);
      if (rows.includes('relativeVolumeDifference')) expect(rows).toMatch(/,-0.25$/m); // a number stays one
    },
  );

  it('a plain name and a name with a comma stay what they are', () => {
    const evaluation = summarise(
      't',
      ['a,b'],
      [{ id: 'x', classes: { 'a,b': { dice: 1, hd95: 0, status: 'ok' } } }],
    );
    expect(evaluationCsv(evaluation)).toContain('x,"a,b",dice,1');
  });

  it('letters of control are blanks in pictures', () => {
    expect(escapeXml('a\u0000b\u001bc\ud800d<')).toBe('a b c d&lt;');
  });

  it('are text in LaTeX', () => {
    const table = {
      number: 1,
      caption: 'x',
      header: ['method', 'a|b\\|c', '<i>'],
      rows: [
        {
          labels: ['50% & $x_1$\n\\input{/etc/passwd}'],
          published: false,
          cells: [{ text: '1' }, { text: '2' }],
        },
      ],
      notes: [],
    };
    const latex = paperTableLatex(table as unknown as Parameters<typeof paperTableLatex>[0]);
    expect(latex).toContain('50\\% \\& \\$x\\_1\\$ \\textbackslash{}input\\{/etc/passwd\\}');
    expect(latex).toContain('a\\textbar{}b\\textbackslash{}\\textbar{}c & \\textless{}i\\textgreater{}');
  });
});

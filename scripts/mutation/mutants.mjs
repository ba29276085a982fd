// What a mutant is: one small change of one source file, by the kinds of change below. The sources are parsed by Oxc, as `vitest/node`
// hands it on (`parseAst` of vite), because TypeScript 7 has no parser for JavaScript programs yet.
//
// Left alone: types, imports, strings, and all that stands in `new ...Error(...)`, which is the text of a message. Not made, because they
// change nothing: the order of axes that are summed or averaged over, of what `every`, `some`, `includes`, `min` or `max` look at, and
// of two equal elements.
import { parseAst } from 'vitest/node';

const arithmetic = { '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '**': '*', '>>': '<<' };
const boundary = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };
const negated = { '<': '>=', '<=': '>', '>': '<=', '>=': '<', '===': '!==', '!==': '===' };
const logical = { '&&': '||', '||': '&&', '??': '&&' };
const assignment = { '+=': '-=', '-=': '+=', '*=': '/=', '/=': '*=' };
/** Calls that give way to what they are called on. */
const removable = new Set([
  ...[
    'add',
    'sub',
    'mul',
    'div',
    'square',
    'abs',
    'clipByValue',
    'maximum',
    'minimum',
    'rsqrt',
    'exp',
    'round',
    'filter',
    'reverse',
    'slice',
  ],
]);
/** Calls that give way to their only argument. */
const removableAround = new Set([
  'sigmoid',
  'softplus',
  'logSoftmax',
  'zerosLike',
  'floor',
  'round',
  'ceil',
  'clone',
]);
const swapped = {
  add: 'sub',
  sub: 'add',
  mul: 'add',
  div: 'mul',
  sum: 'mean',
  mean: 'sum',
  square: 'abs',
  abs: 'square',
  min: 'max',
  max: 'min',
  maximum: 'minimum',
  minimum: 'maximum',
  floor: 'ceil',
  ceil: 'floor',
  round: 'floor',
  every: 'some',
  some: 'every',
  greater: 'greaterEqual',
  notEqual: 'equal',
  argMax: 'argMin',
};
const orderFree = new Set(['sum', 'mean', 'every', 'some', 'includes', 'min', 'max']);
/** What stands around an expression for the type checker alone. */
const typeWrappers = new Set(['TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression']);

/**
 * Every mutant of a source text.
 * @returns in the order of the text: kind, line from 1, and what [start, end) becomes
 */
export function mutantsOf(text) {
  const found = new Map();
  const put = (kind, start, end, replacement) => {
    const original = text.slice(start, end);
    if (original === replacement) return;
    const line = text.slice(0, start).split('\n').length;
    found.set(`${start} ${end} ${replacement}`, { kind, line, start, end, original, replacement });
  };
  visit(parseAst(text, { lang: 'ts' }), [], (node, parents) => changesOf(node, parents, text, put));
  return [...found.values()].sort((a, b) => a.start - b.start || a.end - b.end);
}

function changesOf(node, parents, text, put) {
  const parent = parents.at(-1);
  const source = ({ start, end }) => text.slice(start, end);
  const operator = (table, kind) => {
    const other = table[node.operator];
    if (!other) return;
    const start = node.left.end + text.slice(node.left.end, node.right.start).indexOf(node.operator);
    put(kind, start, start + node.operator.length, other);
  };
  switch (node.type) {
    case 'BinaryExpression':
      operator(arithmetic, 'arithmetic');
      operator(boundary, 'boundary');
      operator(negated, 'negation');
      break;
    case 'LogicalExpression':
      operator(logical, 'logical');
      break;
    case 'AssignmentExpression':
      operator(assignment, 'assignment');
      break;
    case 'UnaryExpression':
      if (node.operator === '-' || node.operator === '!')
        put('unary', node.start, node.end, source(node.argument));
      break;
    case 'Literal':
      if (typeof node.value === 'boolean') put('boolean', node.start, node.end, String(!node.value));
      if (typeof node.value === 'number')
        put('number', node.start, node.end, node.value === 1 ? '0' : String(node.value + 1));
      break;
    case 'CallExpression':
      callChanges(node, source, put);
      break;
    case 'IfStatement':
    case 'ConditionalExpression':
      for (const forced of ['true', 'false']) put('condition', node.test.start, node.test.end, forced);
      break;
    case 'WhileStatement':
    case 'ForStatement':
      if (node.test) put('condition', node.test.start, node.test.end, 'false');
      break;
    case 'ArrayExpression':
      if (!isOrderFree(parent)) swapNeighbours(node.elements, source, put);
      break;
    case 'ExpressionStatement':
      if (parent?.type !== 'Program') put('statement', node.start, node.end, ';');
      break;
  }
}

function callChanges(node, source, put) {
  const { callee } = node;
  if (callee.type !== 'MemberExpression' || callee.computed) return;
  const { name, start, end } = callee.property;
  if (swapped[name]) put('call', start, end, swapped[name]);
  const onMath = callee.object.type === 'Identifier' && ['Math', 'tf'].includes(callee.object.name);
  if (!onMath && removable.has(name)) put('call removed', node.start, node.end, source(callee.object));
  if (onMath && removableAround.has(name) && node.arguments.length === 1)
    put('call removed', node.start, node.end, source(node.arguments[0]));
}

function isOrderFree(parent) {
  if (parent?.type === 'CallExpression') return orderFree.has(parent.callee.property?.name);
  return parent?.type === 'MemberExpression' && orderFree.has(parent.property.name);
}

function swapNeighbours(elements, source, put) {
  for (let i = 0; i + 1 < elements.length; i++) {
    const [one, other] = [elements[i], elements[i + 1]];
    if (!one || !other || source(one) === source(other)) continue;
    put('order', one.start, other.end, `${source(other)}, ${source(one)}`);
  }
}

/** Every node that runs, with the nodes around it (without what is there for types alone). */
function visit(node, parents, what) {
  if (isLeftAlone(node)) return;
  if (typeWrappers.has(node.type)) {
    visit(node.expression, parents, what);
    return;
  }
  what(node, parents);
  for (const [key, child] of Object.entries(node)) {
    if (['typeAnnotation', 'returnType', 'typeParameters', 'typeArguments'].includes(key)) continue;
    for (const part of Array.isArray(child) ? child : [child])
      if (typeof part?.type === 'string') visit(part, [...parents, node], what);
  }
}

function isLeftAlone(node) {
  if (node.type.startsWith('TS')) return !typeWrappers.has(node.type);
  if (node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration') return true;
  if (node.type === 'ExportNamedDeclaration') return node.source !== null;
  return node.type === 'NewExpression' && node.callee.name?.endsWith('Error');
}

/** Rounds of a loop after which a mutant is taken to have no end; the longest loop of the sources visits some 100,000. */
const MOST_ROUNDS = 2_000_000;

/** The text with a guard in every loop, which throws where a mutant has no end: no time limit is needed, and none depends on the machine. */
export function withLoopsGuarded(text) {
  const inserts = [];
  visit(parseAst(text, { lang: 'ts' }), [], (node) => {
    if (!['ForStatement', 'ForOfStatement', 'WhileStatement', 'DoWhileStatement'].includes(node.type)) return;
    const name = `rounds${node.start}`;
    const guard = `if (++${name} > ${MOST_ROUNDS}) throw new Error('the loop has no end');`;
    inserts.push(
      [node.start, `{ let ${name} = 0; `],
      [node.body.start, `{ ${guard} `],
      [node.body.end, ' }'],
      [node.end, ' }'],
    );
  });
  // Of two inserts at one place, the outer loop's begins first and the inner loop's ends first: the order in which they were found, and its reverse.
  const ordered = inserts.map(([at, what], index) => ({ at, what, index, closes: what === ' }' }));
  ordered.sort((a, b) => a.at - b.at || (a.closes && b.closes ? b.index - a.index : a.index - b.index));
  let [result, from] = ['', 0];
  for (const { at, what } of ordered) {
    result += text.slice(from, at) + what;
    from = at;
  }
  return result + text.slice(from);
}

/** Whether a text can be parsed. */
export function isProgram(text) {
  try {
    parseAst(text, { lang: 'ts' });
    return true;
  } catch {
    return false;
  }
}

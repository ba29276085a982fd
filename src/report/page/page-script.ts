/**
 * What runs in the page: sorting of tables and the volume viewer. Plain JavaScript; it needs `niivue` where
 * there are volumes.
 */
export const pageScript = `
'use strict';
(() => {
  const numberOf = (text) => { const value = Number.parseFloat(text); return Number.isNaN(value) ? undefined : value; };

  /** Numbers before words, what is no number at the end in both directions. */
  function sortTable(table, column, direction) {
    const body = table.tBodies[0];
    const textOf = (row) => { const cell = row.cells[column]; return cell.dataset.value ?? cell.textContent.trim(); };
    const rows = [...body.rows].map((row) => ({ row, text: textOf(row) }));
    const numeric = rows.some(({ text }) => numberOf(text) !== undefined) && !rows.some(({ text }) => text !== '-' && text !== '' && numberOf(text) === undefined);
    rows.sort((a, b) => {
      if (!numeric) return direction * a.text.localeCompare(b.text, 'en', { numeric: true });
      const [p, q] = [numberOf(a.text), numberOf(b.text)];
      if (p === undefined || q === undefined) return (p === undefined ? 1 : 0) - (q === undefined ? 1 : 0);
      return direction * (p - q);
    });
    body.append(...rows.map(({ row }) => row));
  }

  for (const table of document.querySelectorAll('table.sortable')) {
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      header.querySelector('button')?.addEventListener('click', () => {
        const ascending = header.getAttribute('aria-sort') !== 'ascending';
        for (const other of headers) if (other.hasAttribute('aria-sort')) other.setAttribute('aria-sort', 'none');
        header.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
        sortTable(table, column, ascending ? 1 : -1);
      });
    });
  }

  const viewer = document.getElementById('viewer');
  if (!viewer) return;
  const canvas = viewer.querySelector('canvas');
  const status = viewer.querySelector('[role=status]');
  const chooser = viewer.querySelector('#viewer-case');
  const classBoxes = viewer.querySelector('#viewer-classes');
  if (!document.createElement('canvas').getContext('webgl2')) {
    status.textContent = 'This browser has no WebGL 2, which the viewer needs.';
    return;
  }
  const nv = new niivue.Niivue({ backColor: [0, 0, 0, 1], show3Dcrosshair: true, dragAndDropEnabled: false, loadingText: '', multiplanarForceRender: true, isRadiologicalConvention: true, crosshairWidth: 0.5, crosshairColor: [0.5, 1, 0.2, 0.7] });
  const rgb = (hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
  const lighter = (channel) => Math.round(channel + (255 - channel) * 0.5);
  let shown;
  const hiddenValues = new Set();

  /** References in a lighter tone of the colour of the class, so that both can be seen at once. */
  function colourTable(classes, tone) {
    const colours = classes.map(({ colour }) => rgb(colour).map(tone));
    const channel = (i) => [0, ...colours.map((colour) => colour[i])];
    return {
      R: channel(0), G: channel(1), B: channel(2),
      A: [0, ...classes.map(({ value }) => (hiddenValues.has(value) ? 0 : 255))],
      I: [0, ...classes.map(({ value }) => value)],
      labels: ['background', ...classes.map(({ name }) => name)],
    };
  }

  function paint() {
    if (!shown || nv.volumes.length < 3) return;
    nv.volumes[1].setColormapLabel(colourTable(shown.classes, lighter));
    nv.volumes[2].setColormapLabel(colourTable(shown.classes, (channel) => channel));
    const [low, high] = shownWindow();
    Object.assign(nv.volumes[0], { cal_min: byteOf(low), cal_max: byteOf(high) });
    for (const [i, part] of ['image', 'reference', 'prediction'].entries()) {
      const checked = viewer.querySelector('#show-' + part).checked;
      if (i > 0) nv.volumes[i].img = isOutlined(part) ? outlineOf(part) : areas[part];
      const opacity = i === 0 || isOutlined(part) ? 1 : slider('#opacity') / 100;
      nv.volumes[i].opacity = checked ? opacity : 0;
    }
    nv.updateGLVolume();
  }

  /** Labels as they are in the file, and their outlines for the planes that are looked at. */
  let areas = {};
  let outlines = {};
  const isOutlined = (part) => viewer.querySelector('#' + part + '-as').value === 'outline';
  const outlinedAlong = { axial: [0, 1], coronal: [0, 2], sagittal: [1, 2], all: [0, 1, 2], turned: [0, 1, 2] };

  /** The voxels of a label that have another value beside them, within the planes of the layout. */
  function outlineOf(part) {
    const layout = viewer.querySelector('#viewer-layout').value;
    const key = part + outlinedAlong[layout].join('');
    if (outlines[key]) return outlines[key];
    const size = shown.size;
    const strides = [1, size[0], size[0] * size[1]];
    const values = areas[part];
    const edge = values.slice();
    for (let z = 0, i = 0; z < size[2]; z++) for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[0]; x++, i++) {
      if (values[i] === 0) continue;
      const at = [x, y, z];
      const inside = outlinedAlong[layout].every((axis) =>
        at[axis] > 0 && at[axis] < size[axis] - 1 && values[i - strides[axis]] === values[i] && values[i + strides[axis]] === values[i]);
      if (inside) edge[i] = 0;
    }
    return (outlines[key] = edge);
  }

  /** Values of the scan shown as black and white. */
  function shownWindow() {
    const [level, width] = ['level', 'width'].map((id) => slider('#window-' + id));
    return [level - width / 2, level + width / 2];
  }
  const byteOf = (value) => (255 * (value - shown.range[0])) / Math.max(1e-6, shown.range[1] - shown.range[0]);

  /** The sliders of the window, as wide as the values that the page has. */
  function placeWindow({ range, window }) {
    const step = (range[1] - range[0]) / 200 || 1;
    const settings = { level: [range[0], range[1], (window[0] + window[1]) / 2], width: [step, range[1] - range[0], window[1] - window[0]] };
    for (const [id, [min, max, value]] of Object.entries(settings)) {
      Object.assign(viewer.querySelector('#window-' + id), { min, max, step: step / 10, value });
    }
    sayWindow();
  }
  function sayWindow() {
    viewer.querySelector('#window-values').textContent = shownWindow().map((value) => Number(value.toPrecision(3))).join(' to ');
  }

  function classToggle({ name, value, colour }) {
    const label = document.createElement('label');
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', checked: !hiddenValues.has(value) });
    box.dataset.value = value;
    box.addEventListener('change', () => { if (box.checked) hiddenValues.delete(value); else hiddenValues.add(value); paint(); });
    const swatch = Object.assign(document.createElement('span'), { className: 'swatch' });
    swatch.style.background = colour;
    swatch.setAttribute('aria-hidden', 'true');
    label.append(box, swatch, name);
    return label;
  }

  async function show(id) {
    const data = JSON.parse(document.getElementById(id).textContent);
    status.textContent = 'loading ' + data.name;
    for (const volume of [...nv.volumes]) nv.removeVolume(volume);
    hiddenValues.clear();
    shown = data;
    [areas, outlines] = [{}, {}];
    placeWindow(data);
    for (const part of ['image', 'reference', 'prediction']) {
      const volume = await niivue.NVImage.loadFromBase64({ base64: data[part], name: part + '.nii.gz' });
      if (shown !== data) return;
      areas[part] = volume.img;
      nv.addVolume(volume);
    }
    classBoxes.replaceChildren(classBoxes.querySelector('legend'), ...data.classes.map(classToggle));
    paint();
    place();
    canvas.setAttribute('aria-label', 'Slices and a turned view of ' + data.name + ', with its reference and prediction in colour');
    status.textContent = data.name + ': shown with ' + data.size.join(' by ') + ' voxels of ' + data.spacing.map((mm) => mm.toFixed(2)).join(' by ') + ' mm, around what is labelled';
    viewer.dataset.shown = id;
  }

  const slider = (id) => Number(viewer.querySelector(id).value);
  function place() {
    nv.scene.crosshairPos = ['#slice-x', '#slice-y', '#slice-z'].map((id) => slider(id) / 100);
    nv.setRenderAzimuthElevation(slider('#turn'), slider('#tilt'));
    nv.drawScene();
  }

  const layouts = { all: 3, axial: 0, coronal: 1, sagittal: 2, turned: 4 };
  async function begin() {
    await nv.attachToCanvas(canvas);
    nv.setSliceType(layouts.all);
    for (const input of viewer.querySelectorAll('.place input[type=range]')) input.addEventListener('input', place);
    for (const part of ['image', 'reference', 'prediction']) viewer.querySelector('#show-' + part).addEventListener('change', paint);
    viewer.querySelector('#viewer-layout').addEventListener('change', (event) => { nv.setSliceType(layouts[event.target.value]); paint(); });
    for (const id of ['reference-as', 'prediction-as']) viewer.querySelector('#' + id).addEventListener('change', paint);
    for (const id of ['opacity', 'window-level', 'window-width']) viewer.querySelector('#' + id).addEventListener('input', () => { sayWindow(); paint(); });
    chooser.addEventListener('change', () => show(chooser.value));
    for (const button of document.querySelectorAll('button[data-case]')) {
      button.addEventListener('click', async () => {
        chooser.value = button.dataset.case;
        await show(button.dataset.case);
        viewer.scrollIntoView();
        chooser.focus();
      });
    }
    await show(chooser.value);
  }
  begin().catch((error) => { status.textContent = 'The viewer could not start: ' + error.message; });
})();
`;

type Types = readonly ('int' | 'void')[];

/** A function of the system's C library; undefined where there is none by that name. Loaded when it is first asked for. */
export async function libc(
  name: string,
  result: 'int' | 'void',
  parameters: Types,
): Promise<((...values: number[]) => number) | undefined> {
  const library = process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6';
  try {
    const { default: koffi } = await import('koffi');
    return koffi.load(library).func(name, result, [...parameters]);
  } catch {
    return undefined;
  }
}

/**
 * Whether tests that take minutes are asked for, as continuous integration does with `HYBRIDMIM_LONG_TESTS=1`. What they
 * hold is held in small by others; they do it at length: on the command line, for every method, for whole tables.
 */
export const longTests = process.env.HYBRIDMIM_LONG_TESTS === '1';

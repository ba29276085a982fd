import { prepareRuntime } from './runtime-files.js';

// TensorFlow turns its oneDNN kernels on by itself only for CPUs with AVX-512; on others its fallback takes
// three to ten times as long for the gradients of a 3-D convolution, and several times the memory. It reads
// the setting when the library loads, so every module that loads it imports this one first.
process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
// Else all sessions of a process share the threads that TensorFlow.js's own context took when it was loaded, one a
// core, whatever number a session asks for.
process.env.TF_OVERRIDE_GLOBAL_THREADPOOL = '1';
prepareRuntime();

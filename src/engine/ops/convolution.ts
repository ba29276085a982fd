import { after } from '../after.js';
import { bindScope } from '../name-scope.js';
import { attribute, float32Attribute, type OpAttribute, runOp } from '../native-backend.js';
import tf, { type Tensor, type Tensor1D, type Tensor5D } from '../tf.js';
import { withGradient } from '../with-gradient.js';

/**
 * 3-D convolution with zero padding that keeps the size at stride 1 (TensorFlow's `SAME`).
 * @param x [B, D, H, W, C]
 * @param w [k, k, k, C, out]
 * @returns [B, ceil(D / stride), ceil(H / stride), ceil(W / stride), out]
 */
export function conv3d(x: Tensor5D, w: Tensor5D, stride = 1): Tensor5D {
  return convolve(x, w, convolutionAttributes(stride, 'SAME'));
}

/**
 * 3x3x3 convolution of stride 2 with zeros on either side, as PyTorch's `Conv3d(padding=1)`: the first output
 * looks at the first voxel, where TensorFlow's `SAME` would begin a voxel later in an image of even size.
 * @param x [B, D, H, W, C]
 * @param w [3, 3, 3, C, out]
 * @returns [B, D/2, H/2, W/2, out], rounded up
 */
export function halvingConv3d(x: Tensor5D, w: Tensor5D): Tensor5D {
  const sides = x.shape.map((n, axis): [number, number] => (axis === 0 || axis === 4 ? [0, 0] : [1, n % 2]));
  return convolve(x.pad(sides), w, convolutionAttributes(2, 'VALID'));
}

/**
 * The gradient takes the filter's part first, and only then goes on towards the input: what that part needs,
 * the input of the layer and the slope of its output, would else be kept until the end of the step.
 */
function convolve(x: Tensor5D, w: Tensor5D, attributes: OpAttribute[]): Tensor5D {
  return withGradient([x, w], () => {
    const gradient = bindScope(
      'gradient',
      (dy: Tensor5D, [savedX, savedW]: readonly [Tensor5D, Tensor5D]) => {
        const dw = runOp<Tensor5D>('Conv3DBackpropFilterV2', attributes, [savedX, sizes(savedW), dy]);
        const dx = runOp(
          'Conv3DBackpropInputV2',
          [...attributes, attribute.type('Tshape', 'int32')],
          [sizes(savedX), savedW, after(dy, dw)],
        );
        return [dx, dw];
      },
    );
    return { value: runOp<Tensor5D>('Conv3D', attributes, [x, w]), kept: [x, w] as const, gradient };
  });
}

/**
 * Transposed 3-D convolution that multiplies the size by the stride, as PyTorch's `ConvTranspose3d(kernel =
 * stride)`.
 * @param x [B, D, H, W, C]
 * @param w [k, k, k, out, C]
 * @returns [B, D * stride, H * stride, W * stride, out]
 */
export function convTranspose3d(x: Tensor5D, w: Tensor5D, stride: number): Tensor5D {
  const attributes = convolutionAttributes(stride, 'SAME');
  return withGradient([x, w], () => {
    const [batch, depth, height, width] = x.shape;
    const outSize = tf.tensor1d(
      [batch, depth * stride, height * stride, width * stride, w.shape[3]],
      'int32',
    );
    const gradient = bindScope(
      'gradient',
      (dy: Tensor5D, [savedX, savedW]: readonly [Tensor5D, Tensor5D]) => {
        const dw = runOp<Tensor5D>('Conv3DBackpropFilterV2', attributes, [dy, sizes(savedW), savedX]);
        return [runOp('Conv3D', attributes, [after(dy, dw), savedW]), dw];
      },
    );
    const shapeType = attribute.type('Tshape', 'int32');
    const value = runOp<Tensor5D>('Conv3DBackpropInputV2', [...attributes, shapeType], [outSize, w, x]);
    return { value, kept: [x, w] as const, gradient };
  });
}

function convolutionAttributes(stride: number, padding: 'SAME' | 'VALID'): OpAttribute[] {
  return [
    float32Attribute(),
    attribute.int('strides', [1, stride, stride, stride, 1]),
    attribute.string('padding', padding),
    attribute.string('data_format', 'NDHWC'),
    attribute.int('dilations', [1, 1, 1, 1, 1]),
  ];
}

const sizes = (tensor: Tensor): Tensor1D => tf.tensor1d(tensor.shape, 'int32');

import type { Layer, Weights } from './weights.ts';

/**
 * Writes the network as an ONNX file: a protobuf message, field by field, with the numbers of
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto beside them. Operators of opset 13.
 */
export function toOnnx({ hidden, output }: Weights): Uint8Array {
  const graph = message(
    bytes(1, node('Gemm', ['pixels', 'hidden.weights', 'hidden.bias'], 'sums')), // GraphProto.node
    bytes(1, node('Relu', ['sums'], 'activations')),
    bytes(1, node('Gemm', ['activations', 'output.weights', 'output.bias'], 'logits')),
    bytes(1, node('Softmax', ['logits'], 'probabilities')),
    text(2, 'digits'), // .name
    ...tensors('hidden', hidden),
    ...tensors('output', output),
    bytes(11, value('pixels', hidden.inputs)), // .input
    bytes(12, value('probabilities', output.outputs)), // .output
  );
  return message(
    integer(1, 8), // ModelProto.ir_version
    text(2, 'inserve'), // .producer_name
    bytes(7, graph), // .graph
    bytes(8, message(integer(2, 13))), // .opset_import, OperatorSetIdProto.version
  );
}

const FLOAT = 1; // TensorProto.DataType

function node(operator: string, inputs: string[], result: string): Uint8Array {
  // NodeProto: input, output, op_type; the defaults of the attributes are what is meant.
  return message(...inputs.map((name) => text(1, name)), text(2, result), text(4, operator));
}

function tensors(name: string, { inputs, outputs, weights, bias }: Layer): Uint8Array[] {
  return [
    bytes(5, tensor(`${name}.weights`, [inputs, outputs], weights)), // GraphProto.initializer
    bytes(5, tensor(`${name}.bias`, [outputs], bias)),
  ];
}

function tensor(name: string, shape: number[], values: readonly number[]): Uint8Array {
  const raw = new Uint8Array(values.length * 4);
  const view = new DataView(raw.buffer);
  for (const [index, number] of values.entries()) view.setFloat32(index * 4, number, true);
  // TensorProto: dims, data_type, name, raw_data
  return message(
    ...shape.map((length) => integer(1, length)),
    integer(2, FLOAT),
    text(8, name),
    bytes(9, raw),
  );
}

/** A list of rows, as many as there are. */
function value(name: string, width: number): Uint8Array {
  // TensorShapeProto.Dimension: dim_value = 1, dim_param = 2
  const shape = message(bytes(1, message(text(2, 'rows'))), bytes(1, message(integer(1, width))));
  const type = message(integer(1, FLOAT), bytes(2, shape)); // TypeProto.Tensor: elem_type, shape
  return message(text(1, name), bytes(2, message(bytes(1, type)))); // ValueInfoProto: name, type (tensor_type)
}

function message(...fields: Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

function integer(field: number, number: number): Uint8Array {
  return Buffer.from([...varint(field << 3), ...varint(number)]);
}

function bytes(field: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(content.length)]), content]);
}

function text(field: number, content: string): Uint8Array {
  return bytes(field, Buffer.from(content));
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function varint(number: number): number[] {
  const groups: number[] = [];
  let rest = number;
  for (; rest > 127; rest = Math.floor(rest / 128)) groups.push((rest % 128) | 128);
  return [...groups, rest];
}

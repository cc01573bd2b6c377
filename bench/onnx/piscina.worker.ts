import { MODEL_FILE, VoiceActivityDetector } from '../../examples/speech/vad.ts';

const detector = await VoiceActivityDetector.load(MODEL_FILE);

export default (clip: Float32Array): Promise<Float32Array> => detector.probabilities(clip);

export { onAbort } from './abort.js';
export {
  adviceError,
  constructorError,
  errorText,
  fieldError,
  isOurs,
  isRecordError,
  listedError,
  optionError,
  quoted,
  recordError,
  SluiceError,
  type SluiceErrorCode,
} from './errors.js';
export { bare, type Complete, copiedList, isInteger, isSafeInteger, Options } from './option-reader.js';
export { isThenable } from './thenable.js';

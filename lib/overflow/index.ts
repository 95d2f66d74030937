export type {
  NewEntry,
  OpenStore,
  Store,
  StoreContent,
  StoredEntry,
  StoreFormat,
} from './store.js';

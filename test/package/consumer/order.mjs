import { record, u16, u53, utf8 } from 'sluice';

export const Order = record({ id: u53, quantity: u16, note: utf8(24) });

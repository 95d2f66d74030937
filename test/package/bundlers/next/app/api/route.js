import { Queue, record, u32 } from 'sluice';

export const dynamic = 'force-dynamic';
const orders = Queue.create(record({ sku: u32 }), { capacity: 4 });

export function GET() {
  orders.tryPush({ sku: 7 });
  return Response.json(orders.tryPop());
}

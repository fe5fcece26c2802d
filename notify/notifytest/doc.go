// Package notifytest holds the suites that test a host's own Outbox, Texts and Notifier against the contracts of notify.Outbox,
// notify.Texts and notify.Notifier. Each sub-test is named after the numbered rule of the contract that it tests, and works
// with a fresh implementation:
//
//	func TestOutbox(t *testing.T) {
//		notifytest.TestOutbox(t, func(t *testing.T) (notify.Outbox, func(...notify.Event)) {
//			db := openEmpty(t)
//			return db.Outbox(), func(events ...notify.Event) { commit(t, db, events) }
//		})
//	}
package notifytest

// Package notifytest holds the suites that say whether a host's own Outbox, Texts and Notifier keep what notify.Outbox,
// notify.Texts and notify.Notifier promise. Each sub-test is named after the numbered line of that contract which it holds, and works on a
// fresh implementation:
//
//	func TestOutbox(t *testing.T) {
//		notifytest.TestOutbox(t, func(t *testing.T) (notify.Outbox, func(...notify.Event)) {
//			db := openEmpty(t)
//			return db.Outbox(), func(events ...notify.Event) { commit(t, db, events) }
//		})
//	}
package notifytest

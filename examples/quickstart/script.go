package main

import (
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/ticket"
)

// acts is the story. They are cast in this order, the most particular first; the scenes are played in that of their time.
func acts() []act {
	return []act{
		leaving(), moneyBack(), atProvider(), leavingProvider(),
		reboot(), addresses(), latePayer(), upgrade(), weekly(), monthly(), forgotten(),
		desk(),
	}
}

// The servers that acts take. 2 is better than 1, 0 does not do.

func rented(_ *stage, l listing) int { return rank(!l.inStock()) }

func ownRented(_ *stage, l listing) int { return rank(!l.inStock() && l.owner.Own()) }

func providers(_ *stage, l listing) int { return rank(!l.inStock() && !l.owner.Own()) }

func ownInStock(_ *stage, l listing) int { return rank(l.inStock() && l.owner.Own()) }

func rank(fits bool) int {
	if fits {
		return 1
	}
	return 0
}

// ending prefers a server whose periods begin at a month's end, so that one of them is clamped.
func ending(s *stage, l listing) int {
	if ownRented(s, l) == 0 {
		return 0
	}
	p, err := l.billing.PeriodAt(s.day(10, hm(9, 0)))
	switch {
	case err != nil || p.End.Before(s.day(16, hm(0, 0))) || p.End.After(s.day(56, hm(0, 0))):
		return 0
	case l.billing.Anchor.Day() < 29:
		return 1
	}
	return 2
}

// leaving: a client cancels for the end of its billing period, as the rules allow, and in no other way.
func leaving() act {
	return act{
		name: "leaving", title: "a client cancels its server for the end of the billing period",
		wants: "own server of a client with a billing period that ends between day 16 and day 56", fits: ending,
		scenes: []scene{
			{day: 3, at: hm(11, 0), do: submit("leaving", "the home directories", backup.Schedule{
				Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Wednesday}, Hour: 3,
			})},
			{day: 10, at: hm(9, 0), do: cancel("leaving", on(14, hm(12, 0))), text: "we close the shop", refused: true},
			{day: 10, at: hm(9, 2), do: quote(endOfPeriod)},
			{day: 10, at: hm(9, 4), do: cancel("leaving", endOfPeriod), text: "we close the shop"},
			{day: 10, at: hm(9, 10), do: cancel("leaving again", endOfPeriod), text: "did it get through?", refused: true},
			{day: 11, at: hm(16, 30), do: discard("leaving"), text: "we keep it after all", refused: true},
			{day: 12, at: hm(10, 0), do: openTicket("goodbye", ticket.Other, "Where do I return the access cards?", nil)},
			{day: 12, at: hm(11, 15), who: reseller, do: comment("goodbye"), text: "Please keep them until the last day, then send them to our desk."},
		},
	}
}

// moneyBack: a new client leaves within 14 days and gets the rent back in full.
func moneyBack() act {
	return act{
		name: "money back", title: "a new client leaves within 14 days and gets its money back",
		wants: "own server in stock with somebody to rent it", fits: ownInStock,
		scenes: []scene{
			{day: 18, at: hm(10, 0), who: reseller, do: assign},
			{day: 24, at: hm(14, 0), who: reseller, do: quote(on(26, hm(9, 0)))},
			{day: 24, at: hm(14, 5), who: reseller, do: cancel("money back", on(26, hm(9, 0))), text: "too small; money back, as agreed"},
			{day: 27, at: hm(8, 0), who: reseller, do: restock, text: "wiped, with new passwords"},
		},
	}
}

// atProvider: what only the provider can do is passed on, and the client need not know.
func atProvider() act {
	return act{
		name: "at provider", title: "a ticket is forwarded to the provider and its answer relayed",
		wants: "provider's server that a client rents", fits: providers,
		scenes: []scene{
			{day: 5, at: hm(21, 14), do: openTicket("remote", ticket.Reboot, "No answer since 21:00", map[string]any{"method": "hard"}),
				text: "Neither ping nor console."},
			{day: 5, at: hm(21, 20), who: reseller, do: forward("remote"), text: "Please power-cycle this machine and tell us what the console shows."},
			{day: 5, at: hm(22, 5), who: provider, do: providerReplies("remote"), text: "Power supply B was dead, replaced. Up again at 22:01."},
			{day: 5, at: hm(22, 10), who: reseller, do: relay("remote"), text: "A power supply had failed and was replaced. Your server is up again."},
			{day: 5, at: hm(22, 12), who: reseller, do: complete("remote"), text: "We keep an eye on it tonight."},
		},
	}
}

// leavingProvider: a provider's machine is cancelled by the provider alone, so that is a ticket.
func leavingProvider() act {
	return act{
		name: "leaving provider", title: "a client gives a provider's server back by ticket",
		wants: "provider's server that a client rents", fits: providers,
		scenes: []scene{
			{day: 12, at: hm(13, 0), do: cancel("leaving provider", endOfPeriod), text: "the film is finished", refused: true},
			{day: 12, at: hm(13, 20), who: reseller, do: cancel("leaving provider", on(20, hm(12, 0))), text: "the client is done with it", refused: true},
			{day: 12, at: hm(13, 40), do: openTicket("give back", ticket.CancelAtProvider, "Please cancel this server", nil), text: "The film is finished."},
			{day: 12, at: hm(14, 0), who: reseller, do: forward("give back"), text: "Please cancel this machine as soon as the contract allows."},
			{day: 13, at: hm(9, 30), who: provider, do: providerReplies("give back"), text: "Confirmed for the 20th, 12:00."},
			{day: 13, at: hm(9, 45), who: reseller, do: relay("give back"), text: "Your server will be switched off on the 20th at 12:00."},
			{day: 20, at: hm(12, 0), who: reseller, do: complete("give back"), text: "It is switched off now."},
			{day: 20, at: hm(12, 5), who: reseller, do: release, text: "given back to the provider"},
			{day: 21, at: hm(9, 0), who: reseller, do: retire, text: "no longer ours"},
		},
	}
}

// reboot: confirmed, done, and closed by itself a week later.
func reboot() act {
	return act{
		name: "reboot", title: "a reboot is confirmed and done", wants: "own server of a client", fits: ownRented,
		scenes: []scene{
			{day: 4, at: hm(8, 30), do: openTicket("reboot", ticket.Reboot, "Please reboot", map[string]any{"method": "soft"}), text: "It hangs since the update."},
			{day: 4, at: hm(8, 41), do: openTicket("reboot again", ticket.Reboot, "Please reboot!!", nil), text: "Hello?", refused: true},
			{day: 4, at: hm(8, 50), who: stranger, do: lookInto("reboot"), refused: true},
			{day: 4, at: hm(8, 55), who: reseller, do: confirm("reboot"), text: "We reboot it at 09:15."},
			{day: 4, at: hm(9, 20), who: reseller, do: complete("reboot"), text: "It is back, with the old kernel."},
		},
	}
}

// addresses: asked about, confirmed and charged; later the reseller cancels the server for a date, and moves that.
func addresses() act {
	return act{
		name: "addresses", title: "extra IP addresses are asked about and confirmed; the server is later cancelled for a date that moves",
		wants: "own server of a client", fits: ownRented,
		scenes: []scene{
			{day: 8, at: hm(9, 0), do: openTicket("addresses", ticket.ExtraIPs, "Two more addresses", map[string]any{"count": 2, "version": "IPv4"})},
			{day: 8, at: hm(9, 30), who: reseller, do: ask("addresses"), text: "What are they for? The registry wants to know."},
			{day: 8, at: hm(11, 5), do: comment("addresses"), text: "One for each of our two mail servers."},
			{day: 8, at: hm(11, 20), who: reseller, do: confirm("addresses"), text: "Thank you. You get them tomorrow."},
			{day: 9, at: hm(10, 0), who: reseller, do: complete("addresses"), text: "192.0.2.17 and 192.0.2.18 are yours."},
			{day: 9, at: hm(10, 1), who: reseller, do: chargeAddresses(2)},
			{day: 30, at: hm(10, 0), who: reseller, do: cancel("addresses", on(44, hm(12, 0))), text: "the rack is taken down"},
			{day: 33, at: hm(15, 0), who: reseller, do: reschedule("addresses", on(47, hm(12, 0)))},
			{day: 46, at: hm(17, 0), who: reseller, do: quote(on(47, hm(12, 0)))},
			{day: 49, at: hm(9, 0), who: reseller, do: restock, text: "wiped, moved to the next rack"},
		},
	}
}

// latePayer: held back, warned, and forgiven in time.
func latePayer() act {
	return act{
		name: "late payer", title: "a cancellation is called off after the client was warned", wants: "own server of a client", fits: ownRented,
		scenes: []scene{
			{day: 15, at: hm(9, 0), who: reseller, do: hold, text: "the last two invoices are not paid"},
			{day: 15, at: hm(9, 5), who: reseller, do: cancel("late payer", on(29, hm(9, 0))), text: "unpaid invoices"},
			{day: 25, at: hm(13, 40), who: reseller, do: discard("late payer"), text: "everything is paid"},
			{day: 25, at: hm(13, 45), who: reseller, do: resume},
		},
	}
}

// upgrade: waits for a day, which the reseller is reminded of, and is rejected.
func upgrade() act {
	return act{
		name: "upgrade", title: "an upgrade is rejected", wants: "server of a client", fits: rented,
		scenes: []scene{
			{day: 6, at: hm(14, 0), do: openTicket("upgrade", ticket.Upgrade, "256 GB of memory", map[string]any{"part": "memory"})},
			{day: 7, at: hm(15, 30), who: reseller, do: reject("upgrade"), text: "This board takes 128 GB at most. We can offer a larger machine."},
		},
	}
}

// weekly: a series of which one is cancelled and which then ends.
func weekly() act {
	return act{
		name: "weekly", title: "weekly backups, one of them cancelled", wants: "server of a client", fits: rented,
		scenes: []scene{
			{day: 2, at: hm(9, 12), do: submit("weekly", "all databases", backup.Schedule{
				Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Sunday}, Hour: 2, Minute: 30,
			})},
			{day: 26, at: hm(12, 0), do: cancelNext("weekly"), text: "we move the databases that night"},
			{day: 48, at: hm(10, 0), do: withdraw("weekly"), text: "we back up ourselves from now on"},
		},
	}
}

// monthly: on the 31st, which February does not have; one fails and is tried again.
func monthly() act {
	return act{
		name: "monthly", title: "monthly backups, one of which fails at first", wants: "server of a client", fits: rented,
		scenes: []scene{
			{day: 3, at: hm(10, 20), do: submit("monthly", "everything", backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Hour: 1})},
		},
	}
}

// forgotten: nobody does it for two days, which is noticed.
func forgotten() act {
	return act{
		name: "forgotten", title: "a daily backup is overdue", wants: "server of a client", fits: rented,
		scenes: []scene{
			{day: 16, at: hm(18, 0), do: submit("forgotten", "the web sites", backup.Schedule{Frequency: backup.Daily, Hour: 4, Count: 4})},
		},
	}
}

// desk: the reseller's own part, on no server.
func desk() act {
	a := act{name: "desk", scenes: []scene{
		{day: 1, at: hm(8, 0), who: reseller, do: saveSettings(cancellation.Settings{Warn: true, DaysAhead: []int{7, 2}, NoticeDays: 3})},
		{day: 25, at: hm(12, 0), who: reseller, do: lookAtSigns},
	}}
	for day := range 31 * months {
		a.scenes = append(a.scenes, scene{day: day + 1, at: hm(7, 0), who: reseller, do: workThrough})
	}
	return a
}

// prologue introduces the inventory.
func (s *stage) prologue() {
	counts := map[string]int{}
	var owners, zones []string
	idle := 0
	for _, l := range s.stock.servers {
		owner := "of its own"
		if !l.owner.Own() {
			owner = "of " + l.owner.Provider
		}
		owners, zones = appendNew(owners, owner), appendNew(zones, l.billing.Zone)
		counts[owner]++
		idle += rank(l.inStock())
	}
	var shares []string
	for _, owner := range owners {
		shares = append(shares, fmt.Sprintf("%d %s", counts[owner], owner))
	}
	all, clients := len(s.stock.servers), len(s.stock.clients())
	s.tell("story.begins", resellerName, "", fmt.Sprintf("The reseller %s has %s (%s): %d rented out to %s and %d in stock, in %s. "+
		"The times on the left are UTC.", resellerName, count(all, "server"), list(shares), all-idle, count(clients, "client"), idle, count(len(zones), "time zone")),
		data{"servers": all, "clients": clients, "zones": len(zones), "in_stock": idle, "owners": counts})
}

// epilogue sums up, and fails if something was left undone.
func (s *stage) epilogue() error {
	mails, refunds := map[string]int{}, []string{}
	for _, e := range s.diary {
		switch e.Kind {
		case "mail.client", "mail.reseller", "mail.provider":
			mails[e.Kind[len("mail."):]]++
		case "money.refunded":
			refunds = append(refunds, fmt.Sprintf("%s %s", e.Data["total"], e.Data["currency"]))
		}
	}
	backups, err := s.backups.Counts(s.ctx, s.reseller, backup.TaskQuery{})
	if err != nil {
		return err
	}
	skipped, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Skipped}})
	if err != nil {
		return err
	}
	missed := 0
	for _, t := range skipped {
		missed += t.Missed
	}
	waiting, dead, _, err := s.stores.outbox.Depth(s.ctx)
	if err != nil {
		return err
	}
	s.tell("story.ends", resellerName, "", fmt.Sprintf("The end. Mails: %d to clients, %d to the reseller, %d to providers; %d wait, %d could not be delivered.\n"+
		"Backups: %d made, %d cancelled, %d failed, %d missed. Paid back: %s.",
		mails["client"], mails["reseller"], mails["provider"], waiting, dead,
		backups[backup.Completed], backups[backup.Cancelled], backups[backup.Failed], missed, list(refunds)),
		data{"mails": mails, "waiting": waiting, "dead": dead, "backups": backups, "missed": missed, "refunds": refunds})
	if waiting > 0 || dead > 0 {
		return fmt.Errorf("%d deliveries wait and %d are dead at the end of the story, expected none", waiting, dead)
	}
	return nil
}

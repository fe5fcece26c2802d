package main

import (
	"time"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/ticket"
)

// scenarios lists all scenarios. They get their servers in this order, so the most demanding ones are first. Their steps
// run in order of time.
func scenarios() []scenario {
	return []scenario{
		cancelAtPeriodEnd(), moneyBack(), forwardToProvider(), returnToProvider(),
		reboot(), addresses(), latePayer(), upgrade(), weekly(), monthly(), forgotten(),
		routine(),
	}
}

// The ranks of servers for scenarios. A higher rank is better. 0 means that the server does not fit.

func rented(_ *simulation, l listing) int { return rank(!l.inStock()) }

func ownRented(_ *simulation, l listing) int { return rank(!l.inStock() && l.owner.Own()) }

func providerRented(_ *simulation, l listing) int { return rank(!l.inStock() && !l.owner.Own()) }

func ownInStock(_ *simulation, l listing) int { return rank(l.inStock() && l.owner.Own()) }

func rank(fits bool) int {
	if fits {
		return 1
	}
	return 0
}

// ending prefers a server whose anchor is at the end of a month, because February then clamps its period.
func ending(s *simulation, l listing) int {
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

// cancelAtPeriodEnd: a client may cancel only for the end of its billing period, and may not take that back.
func cancelAtPeriodEnd() scenario {
	return scenario{
		name: "period end", title: "a client cancels its server for the end of the billing period",
		needs: "own server of a client with a billing period that ends between day 16 and day 56", rank: ending,
		steps: []step{
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

// moneyBack: a new client leaves within 14 days, and the full rent is refunded.
func moneyBack() scenario {
	return scenario{
		name: "money back", title: "a new client leaves within 14 days and gets its money back",
		needs: "own server in stock and a client to assign it to", rank: ownInStock,
		steps: []step{
			{day: 18, at: hm(10, 0), who: reseller, do: assign},
			{day: 24, at: hm(14, 0), who: reseller, do: quote(on(26, hm(9, 0)))},
			{day: 24, at: hm(14, 5), who: reseller, do: cancel("money back", on(26, hm(9, 0))), text: "too small; money back, as agreed"},
			{day: 27, at: hm(8, 0), who: reseller, do: restock, text: "wiped, with new passwords"},
		},
	}
}

// forwardToProvider: only the provider can reboot this server. The client does not learn of the provider.
func forwardToProvider() scenario {
	return scenario{
		name: "forward", title: "a ticket is forwarded to the provider, and the reply is relayed",
		needs: "provider's server that a client rents", rank: providerRented,
		steps: []step{
			{day: 5, at: hm(21, 14), do: openTicket("remote", ticket.Reboot, "No answer since 21:00", map[string]any{"method": "hard"}),
				text: "Neither ping nor console."},
			{day: 5, at: hm(21, 20), who: reseller, do: forward("remote"), text: "Please power-cycle this machine and tell us what the console shows."},
			{day: 5, at: hm(22, 5), who: provider, do: providerReplies("remote"), text: "Power supply B was dead, replaced. Up again at 22:01."},
			{day: 5, at: hm(22, 10), who: reseller, do: relay("remote"), text: "A power supply had failed and was replaced. Your server is up again."},
			{day: 5, at: hm(22, 12), who: reseller, do: complete("remote"), text: "We keep an eye on it tonight."},
		},
	}
}

// returnToProvider: only the provider can cancel its server, so the client opens a ticket.
func returnToProvider() scenario {
	return scenario{
		name: "return", title: "a client returns a provider's server by ticket",
		needs: "provider's server that a client rents", rank: providerRented,
		steps: []step{
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

// reboot: a ticket is confirmed and completed, and closes automatically a week later.
func reboot() scenario {
	return scenario{
		name: "reboot", title: "a reboot is confirmed and completed", needs: "own server of a client", rank: ownRented,
		steps: []step{
			{day: 4, at: hm(8, 30), do: openTicket("reboot", ticket.Reboot, "Please reboot", map[string]any{"method": "soft"}), text: "It hangs since the update."},
			{day: 4, at: hm(8, 41), do: openTicket("reboot again", ticket.Reboot, "Please reboot!!", nil), text: "Hello?", refused: true},
			{day: 4, at: hm(8, 50), who: otherClient, do: readTicket("reboot"), refused: true},
			{day: 4, at: hm(8, 55), who: reseller, do: confirm("reboot"), text: "We reboot it at 09:15."},
			{day: 4, at: hm(9, 20), who: reseller, do: complete("reboot"), text: "It is back, with the old kernel."},
		},
	}
}

// addresses: the reseller asks for details, confirms and charges. Later it cancels the server for a date, and moves the date.
func addresses() scenario {
	return scenario{
		name: "addresses", title: "a ticket for addresses is confirmed, and the server is later cancelled for a date that moves",
		needs: "own server of a client", rank: ownRented,
		steps: []step{
			{day: 8, at: hm(9, 0), do: openTicket("addresses", ticket.ExtraIPs, "Two more addresses", map[string]any{"count": 2, "version": "IPv4"})},
			{day: 8, at: hm(9, 30), who: reseller, do: askDetails("addresses"), text: "What are they for? The registry wants to know."},
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

// latePayer: the server is suspended and its client warned. The cancellation is discarded before its date.
func latePayer() scenario {
	return scenario{
		name: "late payer", title: "a cancellation is discarded after the client was warned", needs: "own server of a client", rank: ownRented,
		steps: []step{
			{day: 15, at: hm(9, 0), who: reseller, do: suspend, text: "the last two invoices are not paid"},
			{day: 15, at: hm(9, 5), who: reseller, do: cancel("late payer", on(29, hm(9, 0))), text: "unpaid invoices"},
			{day: 25, at: hm(13, 40), who: reseller, do: discard("late payer"), text: "everything is paid"},
			{day: 25, at: hm(13, 45), who: reseller, do: resume},
		},
	}
}

// upgrade: the reseller is reminded of a ticket after a day, and rejects it.
func upgrade() scenario {
	return scenario{
		name: "upgrade", title: "an upgrade is rejected", needs: "server of a client", rank: rented,
		steps: []step{
			{day: 6, at: hm(14, 0), do: openTicket("upgrade", ticket.Upgrade, "256 GB of memory", map[string]any{"part": "memory"})},
			{day: 7, at: hm(15, 30), who: reseller, do: reject("upgrade"), text: "This board takes 128 GB at most. We can offer a larger machine."},
		},
	}
}

// weekly: one backup of a series is cancelled. Later the request is withdrawn.
func weekly() scenario {
	return scenario{
		name: "weekly", title: "a weekly backup is cancelled", needs: "server of a client", rank: rented,
		steps: []step{
			{day: 2, at: hm(9, 12), do: submit("weekly", "all databases", backup.Schedule{
				Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Sunday}, Hour: 2, Minute: 30,
			})},
			{day: 26, at: hm(12, 0), do: cancelNext("weekly"), text: "we move the databases that night"},
			{day: 48, at: hm(10, 0), do: withdraw("weekly"), text: "we back up ourselves from now on"},
		},
	}
}

// monthly: the schedule is for the 31st, which February lacks. One backup fails and is retried.
func monthly() scenario {
	return scenario{
		name: "monthly", title: "a monthly backup fails and is retried", needs: "server of a client", rank: rented,
		steps: []step{
			{day: 3, at: hm(10, 20), do: submit("monthly", "everything", backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Hour: 1})},
		},
	}
}

// forgotten: a backup is not made for two days, and becomes overdue.
func forgotten() scenario {
	return scenario{
		name: "forgotten", title: "a daily backup is overdue", needs: "server of a client", rank: rented,
		steps: []step{
			{day: 16, at: hm(18, 0), do: submit("forgotten", "the web sites", backup.Schedule{Frequency: backup.Daily, Hour: 4, Count: 4})},
		},
	}
}

// routine: the reseller's own steps, on no server.
func routine() scenario {
	sc := scenario{name: "routine", steps: []step{
		{day: 1, at: hm(8, 0), who: reseller, do: saveSettings(cancellation.Settings{Warn: true, DaysAhead: []int{7, 2}, NoticeDays: 3})},
		{day: 25, at: hm(12, 0), who: reseller, do: readBadges},
	}}
	for day := range 31 * months {
		sc.steps = append(sc.steps, step{day: day + 1, at: hm(7, 0), who: reseller, do: processBacklog})
	}
	return sc
}

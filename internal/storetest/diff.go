package storetest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/shopspring/decimal"
)

// Diff returns the first difference between two values, "" if they are equal. Times are equal if they are the same instant and got is
// in UTC; decimals if they have the same value and the same scale. An empty slice or map equals nil.
func Diff(want, got any) string {
	return diff("", reflect.ValueOf(want), reflect.ValueOf(got))
}

func diff(path string, want, got reflect.Value) string {
	if !want.IsValid() || !got.IsValid() || want.Type() != got.Type() {
		return difference(path, want, got)
	}
	switch w := want.Interface().(type) {
	case time.Time:
		return diffTime(path, w, got.Interface().(time.Time))
	case decimal.Decimal:
		g := got.Interface().(decimal.Decimal)
		if !w.Equal(g) || w.Exponent() != g.Exponent() {
			return fmt.Sprintf("%s: decimal %s with exponent %d, want %s with %d", path, g, g.Exponent(), w, w.Exponent())
		}
		return ""
	}
	switch want.Kind() {
	case reflect.Struct:
		for i := range want.NumField() {
			name := want.Type().Field(i).Name
			if d := diff(path+"."+name, want.Field(i), got.Field(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Slice:
		return diffSlice(path, want, got)
	case reflect.Map:
		return diffMap(path, want, got)
	case reflect.Pointer:
		if want.IsNil() || got.IsNil() {
			if want.IsNil() && got.IsNil() {
				return ""
			}
			return difference(path, want, got)
		}
		return diff(path, want.Elem(), got.Elem())
	}
	if !want.Equal(got) {
		return difference(path, want, got)
	}
	return ""
}

func difference(path string, want, got reflect.Value) string {
	return fmt.Sprintf("%s is %v, want %v", path, got, want)
}

func diffTime(path string, want, got time.Time) string {
	switch {
	case !want.Equal(got):
		return fmt.Sprintf("%s is %v, want %v", path, got, want)
	case got.Location() != time.UTC:
		return fmt.Sprintf("%s is in %v, want UTC", path, got.Location())
	}
	return ""
}

func diffSlice(path string, want, got reflect.Value) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf("%s has %d elements, want %d", path, got.Len(), want.Len())
	}
	for i := range want.Len() {
		if d := diff(fmt.Sprintf("%s[%d]", path, i), want.Index(i), got.Index(i)); d != "" {
			return d
		}
	}
	return ""
}

func diffMap(path string, want, got reflect.Value) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf("%s has %d entries, want %d", path, got.Len(), want.Len())
	}
	for _, key := range want.MapKeys() {
		if d := diff(fmt.Sprintf("%s[%v]", path, key), want.MapIndex(key), got.MapIndex(key)); d != "" {
			return d
		}
	}
	return ""
}

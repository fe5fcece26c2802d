package storetest

import "reflect"

// clone returns a copy of a record that shares no slice, map or pointer with it. It does not copy what structs with unexported
// fields point to: those structs are times and decimals, and no code changes them in place.
func clone[E any](e E) E {
	return cloneValue(reflect.ValueOf(&e).Elem()).Interface().(E)
}

func cloneValue(v reflect.Value) reflect.Value {
	fresh := reflect.New(v.Type()).Elem()
	fresh.Set(v)
	switch {
	case v.Kind() == reflect.Struct && exported(v.Type()):
		for i := range v.NumField() {
			fresh.Field(i).Set(cloneValue(v.Field(i)))
		}
	case v.Kind() == reflect.Slice && !v.IsNil():
		fresh.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			fresh.Index(i).Set(cloneValue(v.Index(i)))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		fresh.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			fresh.SetMapIndex(key, cloneValue(v.MapIndex(key)))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		fresh.Set(reflect.New(v.Type().Elem()))
		fresh.Elem().Set(cloneValue(v.Elem()))
	}
	return fresh
}

// exported reports whether all fields of a struct are exported.
func exported(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return false
		}
	}
	return true
}
